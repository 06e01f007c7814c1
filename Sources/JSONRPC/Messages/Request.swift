/// One call out of a line.
package struct Request: Sendable {
    /// nil: a notification, which is never answered.
    package let id: RequestID?
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
            throw Fault(id: nil, error: .invalidRequest("A request is a JSON object."))
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
                error: .invalidRequest("An id is an integer or a string of up to \(RequestID.longest) bytes, and not null."))
        }
        if let unknown {
            throw Fault(id: known, error: .invalidRequest("A request has no member \(RPCError.excerpt(unknown))."))
        }
        guard version?.isString("2.0") == true else {
            throw Fault(id: known, error: .invalidRequest("A request has the member \"jsonrpc\": \"2.0\"."))
        }
        // What is longer is no method's name, whatever follows.
        guard let method = method?.text(upTo: longestMethod) else {
            throw Fault(id: known, error: .invalidRequest("A request has a method, a string."))
        }
        if let params, params.kind != .object, params.kind != .array {
            throw Fault(id: known, error: .invalidRequest("params is an object of parameters by name."))
        }
        return Request(id: known, method: method, params: params)
    }
}
