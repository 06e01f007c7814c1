/// One request or notification of a message.
package struct Request: Sendable {
    /// nil for a notification, which is never answered.
    package let id: RequestID?
    /// The name of the method.
    package let method: String
    /// The parameters: an object, or an array if they were sent by position; nil if there are none.
    package let params: JSONNode?
}

extension Request {
    /// The error for a message that is not a request, with the id if the message has a valid one.
    struct Fault: Error {
        let id: RequestID?
        let error: RPCError
    }

    /// Longer than the name of any method.
    private static let longestMethod = 128

    /// Reads one message (JSON-RPC 2.0, sections 4 and 6).
    static func parse(_ message: JSONNode) throws(Fault) -> Request {
        guard message.kind == .object else {
            throw Fault(id: nil, error: .invalidRequest("The message is not a JSON object, so it is not a request."))
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
                // `null` has the same meaning as no parameters.
                params = value.isLiteral("null") ? nil : value
            } else if unknown == nil {
                unknown = name
            }
        }
        let known = id.flatMap { RequestID($0) }
        if id != nil, known == nil {
            throw Fault(
                id: nil,
                error: .invalidRequest("The id must be an integer or a string of up to \(RequestID.longest) bytes."))
        }
        if let unknown {
            throw Fault(id: known, error: .invalidRequest("Unknown request member \(RPCError.excerpt(unknown)). Remove it."))
        }
        guard version?.isString("2.0") == true else {
            throw Fault(id: known, error: .invalidRequest("The member jsonrpc of the request must be \"2.0\"."))
        }
        // No method has a longer name, so the rest does not matter.
        guard let method = method?.text(upTo: longestMethod) else {
            throw Fault(id: known, error: .invalidRequest("The member method of the request must be a string."))
        }
        if let params, params.kind != .object, params.kind != .array {
            throw Fault(id: known, error: .invalidRequest("The member params must be a JSON object of named parameters."))
        }
        return Request(id: known, method: method, params: params)
    }
}

/// The id of a request. It keeps the bytes that were sent, so that the reply repeats them unchanged.
///
/// Two ids are equal if their values are: `"A"` equals `"\u0041"`, and 0 equals -0, but 1 does not equal `"1"`.
package struct RequestID: Hashable, Sendable {
    private enum Value: Hashable {
        case integer(Int)
        /// Unescaped UTF-8. `==` of `String` also accepts canonically equivalent strings.
        case string([UInt8])
    }

    /// The maximum number of bytes of a string, as sent, without its quotes.
    package static let longest = 128

    /// The JSON of the id, as sent.
    package let json: [UInt8]
    private let value: Value

    /// - Returns: nil if the value is neither an integer nor a string of up to ``longest`` bytes.
    init?(_ node: JSONNode) {
        let json = node.bytes
        switch node.kind {
        case .string:
            guard json.count <= Self.longest + 2 else { return nil }
            value = .string(Array((node.text(upTo: Self.longest) ?? "").utf8))
        case .number:
            // Refuses 1.0 and 1e2: most programs treat two notations of a number as two ids.
            guard json.count <= Self.longest, let integer = Int(String(decoding: json, as: UTF8.self)) else { return nil }
            value = .integer(integer)
        case .object, .array, .literal:
            return nil
        }
        self.json = Array(json)
    }

    /// Compares values, not notations.
    package static func == (left: RequestID, right: RequestID) -> Bool { left.value == right.value }

    /// Hashes the value.
    package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
