/// An error as it goes over the wire: a number, a kind that programs go by, and a sentence for people.
package struct RPCError: Error, Sendable, Equatable {
    /// The code of JSON-RPC 2.0, section 5.1.
    package let code: Int
    /// `data.kind`, the contract.
    package let kind: String
    /// What happened and what to do, for people.
    package let message: String
    /// `data.retryable`
    package let isRetryable: Bool
    /// Further members of `data`.
    package let details: [(name: String, value: Detail)]

    /// The value of a further member of `data`.
    package enum Detail: Sendable, Equatable {
        /// A JSON string.
        case text(String)
        /// A JSON number.
        case number(Int)
    }

    /// An error with a code, the kind of `data.kind`, and a message.
    package init(
        _ code: Int, _ kind: String, _ message: String, retryable: Bool = false,
        details: [(name: String, value: Detail)] = []
    ) {
        self.code = code
        self.kind = kind
        self.message = message
        isRetryable = retryable
        self.details = details
    }

    /// Compares code, kind, message and details.
    package static func == (left: RPCError, right: RPCError) -> Bool {
        left.code == right.code && left.kind == right.kind && left.message == right.message
            && left.isRetryable == right.isRetryable && left.details.elementsEqual(right.details, by: ==)
    }

    /// The `error` member.
    var json: [UInt8] {
        var text = "{\"code\":\(code),\"message\":\(JSONText.quoted(message)),\"data\":{\"kind\":\(JSONText.quoted(kind))"
        text += ",\"retryable\":\(isRetryable)"
        for detail in details {
            text += ",\(JSONText.quoted(detail.name)):"
            switch detail.value {
            case .text(let value): text += JSONText.quoted(value)
            case .number(let value): text += "\(value)"
            }
        }
        return Array((text + "}}").utf8)
    }
}

extension RPCError {
    /// The beginning of a name that a caller chose, for a message: counted in scalars, since what looks like one character
    /// may have any number of them.
    package static func excerpt(_ text: String, _ count: Int = 64) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: count, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// The same of a string that a caller sent, of which no more is read.
    package static func excerpt(_ string: JSONNode, _ count: Int = 64) -> String {
        excerpt(string.text(upTo: count + 1) ?? "", count)
    }

    /// −32700: the line is not strict JSON.
    package static func parse(_ fault: JSONFault) -> RPCError {
        RPCError(
            -32700, "parse-error", "The line is not JSON that the service accepts: \(fault).",
            details: [("offset", .number(fault.offset))])
    }

    /// −32600: the message is not a request of JSON-RPC 2.0.
    package static func invalidRequest(_ message: String, kind: String = "invalid-request") -> RPCError {
        RPCError(-32600, kind, message)
    }

    /// −32600: the line exceeds the limit, in bytes.
    package static func lineTooLong(limit: Int) -> RPCError {
        RPCError(
            -32600, "line-too-long", "The line has more than \(limit) bytes. The service discarded it. Send a shorter line.",
            details: [("limit", .number(limit))])
    }

    /// −32601: the service has no such method.
    package static func methodNotFound(_ method: String) -> RPCError {
        RPCError(
            -32601, "method-not-found",
            "The service has no method \(excerpt(method)). rpc.discover lists the methods.")
    }

    /// −32602: the parameters do not match the schema of the method.
    package static func invalidParams(
        _ param: String, _ message: String, details: [(name: String, value: Detail)] = []
    ) -> RPCError {
        RPCError(-32602, "invalid-params", message, details: [("param", .text(excerpt(param, 128)))] + details)
    }

    /// −32602: the parameters are an array.
    package static let positionalParams = invalidParams(
        "", "Parameters are passed by name, in a JSON object, not by position in an array.")
    static let duplicateID = invalidRequest(
        "A request with this id is still in flight on this connection.", kind: "duplicate-id")
    static func subscriptions(limit: Int) -> RPCError {
        RPCError(
            -32001, "overloaded",
            "This connection has \(limit) subscriptions, which is the limit. End one with export.unwatch.",
            retryable: true, details: [("limit", .number(limit))])
    }
    static func batchReplies(limit: Int) -> RPCError {
        RPCError(
            -32001, "overloaded",
            "The earlier replies in the batch exceed \(limit) bytes, so the service did not run this request. Send it again in a smaller batch.",
            retryable: true, details: [("limit", .number(limit))])
    }

    /// −32603: a fault of the service, which its log describes.
    package static let internalError = RPCError(
        -32603, "internal-error",
        "An internal error occurred in the service. Ask the operators: the service's log contains the cause.")
    /// −32000: the service stops. A new process serves the request when the caller connects again.
    package static let shuttingDown = RPCError(
        -32000, "shutting-down", "The service is stopping. Try again in a moment.", retryable: true)
    /// −32001: the connection has as many requests as it may have.
    package static let overloaded = RPCError(
        -32001, "overloaded", "This connection has too many requests in flight. Wait for replies.", retryable: true)
    /// −32800: `$/cancelRequest` has ended the request.
    package static let cancelled = RPCError(-32800, "request-cancelled", "The request was cancelled by $/cancelRequest.")
}
