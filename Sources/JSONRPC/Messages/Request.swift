/// A request's id, kept as the bytes that came, so that it goes back exactly as it was.
package struct RequestID: Hashable, Sendable {
    package let json: [UInt8]
}

/// One call out of a line.
package struct Request: Sendable {
    /// nil: a notification, which is never answered.
    package let id: RequestID?
    package let method: String
    /// The JSON object of the parameters; `{}` where none came.
    package let params: ArraySlice<UInt8>
}

extension Request {
    /// A message that is not a request, with the id where one can be told.
    struct Fault: Error {
        let id: RequestID?
        let error: RPCError
    }

    private static let longestID = 128

    /// Reads one message (JSON-RPC 2.0, sections 4 and 6) whose bytes the scanner has passed.
    static func parse(_ bytes: ArraySlice<UInt8>, shape: JSONScanner.Shape) throws(Fault) -> Request {
        guard case .object(let members) = shape else {
            throw Fault(id: nil, error: .invalidRequest("A request is a JSON object."))
        }
        var values: [String: ArraySlice<UInt8>] = [:]
        for member in members { values[member.name] = bytes[member.value] }
        let id = try values["id"].map { value throws(Fault) in try parseID(value) }
        for member in members where !["jsonrpc", "id", "method", "params"].contains(member.name) {
            throw Fault(id: id, error: .invalidRequest("A request has no member \(member.name.prefix(64))."))
        }
        guard values["jsonrpc"].map({ $0.elementsEqual("\"2.0\"".utf8) }) == true else {
            throw Fault(id: id, error: .invalidRequest("A request has the member \"jsonrpc\": \"2.0\"."))
        }
        guard let method = values["method"].flatMap(JSONScanner.string) else {
            throw Fault(id: id, error: .invalidRequest("A request has a method, a string."))
        }
        let params = values["params"] ?? Array("{}".utf8)[...]
        guard params.first == UInt8(ascii: "{") else {
            throw Fault(id: id, error: .invalidRequest("Parameters are given by name, in a JSON object."))
        }
        return Request(
            id: id, method: method, params: params)
    }

    private static func parseID(_ value: ArraySlice<UInt8>) throws(Fault) -> RequestID {
        let isString = value.first == UInt8(ascii: "\"")
        let isInteger = value.allSatisfy {
            $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        guard isString || isInteger, value.count <= longestID else {
            throw Fault(
                id: nil,
                error: .invalidRequest("An id is an integer or a string of up to \(longestID - 2) bytes, and not null."))
        }
        return RequestID(json: Array(value))
    }
}

/// What goes back for a request.
enum Reply {
    static func result(_ id: RequestID, _ json: [UInt8]) -> [UInt8] {
        envelope(id) + Array("\"result\":".utf8) + json + Array("}".utf8)
    }

    static func error(_ id: RequestID?, _ error: RPCError) -> [UInt8] {
        envelope(id) + Array("\"error\":".utf8) + error.json + Array("}".utf8)
    }

    private static func envelope(_ id: RequestID?) -> [UInt8] {
        Array("{\"jsonrpc\":\"2.0\",\"id\":".utf8) + (id?.json ?? Array("null".utf8)) + Array(",".utf8)
    }
}

/// A line for a peer that is let go before it has a connection.
package enum OneLineReply {
    package static func error(_ error: RPCError) -> [UInt8] {
        Reply.error(nil, error) + [UInt8(ascii: "\n")]
    }
}
