/// The error of a reply: a code and a kind for programs, and a message for people.
package struct RPCError: Error, Sendable, Equatable {
    /// The code of JSON-RPC 2.0, section 5.1.
    package let code: Int
    /// The member `data.kind`, by which programs distinguish errors.
    package let kind: String
    /// What happened, why, and what to do, for people.
    package let message: String
    /// The member `data.retryable`: whether the same request can succeed later.
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

    /// Creates an error with these members.
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

    /// Compares all members.
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
    /// The beginning of a text of a caller, for a message. The limit counts scalars, because one character can have any number
    /// of them.
    package static func excerpt(_ text: String, _ count: Int = 64) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: count, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// The beginning of a string that a caller sent. Nothing after it is read.
    package static func excerpt(_ string: JSONNode, _ count: Int = 64) -> String {
        excerpt(string.text(upTo: count + 1) ?? "", count)
    }

    /// −32700: the line is not strict JSON.
    package static func parse(_ fault: JSONFault) -> RPCError {
        RPCError(
            -32700, "parse-error", "The line is not valid JSON: \(fault).",
            details: [("offset", .number(fault.offset))])
    }

    /// −32600: the message is not a JSON-RPC 2.0 request.
    package static func invalidRequest(_ message: String, kind: String = "invalid-request") -> RPCError {
        RPCError(-32600, kind, message)
    }

    /// −32600: the line exceeds the limit, in bytes.
    package static func lineTooLong(limit: Int) -> RPCError {
        RPCError(
            -32600, "line-too-long", "The line exceeds the limit of \(limit) bytes and was dropped. Send a shorter request.",
            details: [("limit", .number(limit))])
    }

    /// −32601: the service has no such method.
    package static func methodNotFound(_ method: String) -> RPCError {
        RPCError(
            -32601, "method-not-found",
            "The service has no method named \(excerpt(method)). Call rpc.discover for the list of methods.")
    }

    /// −32602: the parameters do not match the schema of the method.
    package static func invalidParams(
        _ param: String, _ message: String, details: [(name: String, value: Detail)] = []
    ) -> RPCError {
        RPCError(-32602, "invalid-params", message, details: [("param", .text(excerpt(param, 128)))] + details)
    }

    /// −32602: the parameters are an array.
    package static let positionalParams = invalidParams(
        "", "The parameters are an array. Send them by name, in a JSON object.")
    static let duplicateID = invalidRequest(
        "Another request with this id has no reply yet on this connection. Use another id.", kind: "duplicate-id")
    static func subscriptions(limit: Int) -> RPCError {
        RPCError(
            -32001, "overloaded",
            "This connection has \(limit) subscriptions, which is the limit. End one of them, then try again.",
            retryable: true, details: [("limit", .number(limit))])
    }
    static func batchReplies(limit: Int) -> RPCError {
        RPCError(
            -32001, "overloaded",
            "The earlier replies of the batch exceed the limit of \(limit) bytes, so this request was not run. Send it again, in a smaller batch.",
            retryable: true, details: [("limit", .number(limit))])
    }

    /// −32603: the service failed. Its log has the cause.
    package static let internalError = RPCError(
        -32603, "internal-error", "The service failed with an internal error. Its log has the cause; ask the operators.")
    /// −32000: the service is stopping. A new process serves the request when the caller connects again.
    package static let shuttingDown = RPCError(
        -32000, "shutting-down", "The service is stopping. Connect again in a moment.", retryable: true)
    /// −32001: the connection has reached its limit of requests in flight.
    package static let overloaded = RPCError(
        -32001, "overloaded", "This connection has too many requests in flight. Wait for replies before you send more.",
        retryable: true)
    /// −32800: the peer cancelled the request with `$/cancelRequest`.
    package static let cancelled = RPCError(-32800, "request-cancelled", "The client cancelled the request.")
}
