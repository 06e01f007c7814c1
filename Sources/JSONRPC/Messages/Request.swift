/// One call out of a line.
package struct Request: Sendable {
    /// nil: a notification, which is never answered.
    package let id: RequestID?
    package let method: String
    /// The JSON object of the parameters; `{}` where none came. An array where they came by position.
    package let params: ArraySlice<UInt8>

    /// Whether the parameters came by name, as every method here wants them.
    var isByName: Bool { params.first == UInt8(ascii: "{") }
}

extension Request {
    /// A message that is not a request, with the id where one can be told.
    struct Fault: Error {
        let id: RequestID?
        let error: RPCError
    }

    private static let members: Set<String> = ["jsonrpc", "id", "method", "params"]

    /// Reads one message (JSON-RPC 2.0, sections 4 and 6) whose bytes the scanner has passed.
    static func parse(_ bytes: ArraySlice<UInt8>, shape: JSONScanner.Shape) throws(Fault) -> Request {
        guard case .object(let members) = shape else {
            throw Fault(id: nil, error: .invalidRequest("A request is a JSON object."))
        }
        var values: [String: ArraySlice<UInt8>] = [:]
        for member in members where Self.members.contains(member.name) { values[member.name] = bytes[member.value] }
        var id: RequestID?
        if let value = values["id"] {
            id = RequestID(json: value)
            guard id != nil else {
                throw Fault(
                    id: nil,
                    error: .invalidRequest(
                        "An id is an integer or a string of up to \(RequestID.longest) bytes, and not null."))
            }
        }
        for member in members where !Self.members.contains(member.name) {
            throw Fault(id: id, error: .invalidRequest("A request has no member \(RPCError.excerpt(member.name))."))
        }
        guard values["jsonrpc"].flatMap(JSONScanner.string) == "2.0" else {
            throw Fault(id: id, error: .invalidRequest("A request has the member \"jsonrpc\": \"2.0\"."))
        }
        guard let method = values["method"].flatMap(JSONScanner.string) else {
            throw Fault(id: id, error: .invalidRequest("A request has a method, a string."))
        }
        let params = values["params"] ?? Array("{}".utf8)[...]
        guard [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(params.first) else {
            throw Fault(id: id, error: .invalidRequest("params is an object of parameters by name."))
        }
        return Request(id: id, method: method, params: params)
    }
}
