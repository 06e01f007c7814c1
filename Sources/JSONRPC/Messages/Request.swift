/// One call out of a line.
package struct Request: Sendable {
    /// nil: a notification, which is never answered.
    package let id: RequestID?
    /// The name of the method.
    package let method: String
    /// The object of the parameters, or an array where they came by position; nil where none came.
    package let params: JSONNode?
}

extension Request {
    /// A message that is not a request, with the id where one can be told.
    struct Fault: Error {
        let id: RequestID?
        let error: RPCError
    }

    /// More than the name of any method has.
    private static let longestMethod = 128

    /// Reads one message (JSON-RPC 2.0, sections 4 and 6).
    static func parse(_ message: JSONNode) throws(Fault) -> Request {
        guard message.kind == .object else {
            throw Fault(id: nil, error: .invalidRequest("A request must be a JSON object."))
        }
        var version, id, method, params, unknown: JSONNode?
        for (name, value) in message.members {
            if name.isString("jsonrpc") {
                version = value
            } else if name.isString("id") {
                id = value
            } else if name.isString("method") {
                method = value
            } else if name.isString("params") {
                // As if left out.
                params = value.isLiteral("null") ? nil : value
            } else if unknown == nil {
                unknown = name
            }
        }
        let known = id.flatMap { RequestID($0) }
        if id != nil, known == nil {
            throw Fault(
                id: nil,
                error: .invalidRequest(
                    "An id must be an integer or a string of up to \(RequestID.longest) bytes, and not null."))
        }
        if let unknown {
            throw Fault(
                id: known, error: .invalidRequest("A request must not have the member \(RPCError.excerpt(unknown))."))
        }
        guard version?.isString("2.0") == true else {
            throw Fault(id: known, error: .invalidRequest("A request must have the member \"jsonrpc\": \"2.0\"."))
        }
        // What is longer is no method's name, whatever follows.
        guard let method = method?.text(upTo: longestMethod) else {
            throw Fault(id: known, error: .invalidRequest("A request must have the member method, a string."))
        }
        if let params, params.kind != .object, params.kind != .array {
            throw Fault(id: known, error: .invalidRequest("params must be an object of parameters by name."))
        }
        return Request(id: known, method: method, params: params)
    }
}

/// A request's id, kept as the bytes that came, so that it goes back exactly as it was.
///
/// Two ids are the same when their values are: `"A"` is `"\u0041"`, and 0 is -0, but 1 is not `"1"`.
package struct RequestID: Hashable, Sendable {
    private enum Value: Hashable {
        case integer(Int)
        /// UTF-8, unescaped: `String` would also take for equal what only looks equal.
        case string([UInt8])
    }

    /// Bytes of a string, as it was sent, without its quotes.
    package static let longest = 128

    /// The id as it was sent, as JSON.
    package let json: [UInt8]
    private let value: Value

    /// - Returns: nil where the value is neither an integer nor a string of up to ``longest`` bytes.
    init?(_ node: JSONNode) {
        let json = node.bytes
        switch node.kind {
        case .string:
            guard json.count <= Self.longest + 2 else { return nil }
            value = .string(Array((node.text(upTo: Self.longest) ?? "").utf8))
        case .number:
            // Not 1.0 or 1e2: two ways to write one number would be two ids to most programs.
            guard json.count <= Self.longest, let integer = Int(String(decoding: json, as: UTF8.self)) else { return nil }
            value = .integer(integer)
        case .object, .array, .literal:
            return nil
        }
        self.json = Array(json)
    }

    /// Ids are equal if their values are, however they are written.
    package static func == (left: RequestID, right: RequestID) -> Bool { left.value == right.value }

    /// Hashes the value.
    package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
