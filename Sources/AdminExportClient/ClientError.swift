/// Why a call failed.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// What happened. Programs decide by this.
    public enum Code: Sendable, Equatable {
        /// No process serves the socket, or the path of the socket is not valid.
        case unreachable
        /// The mode of the socket does not let this user connect.
        case socketDenied
        /// The connection ended before the answer came.
        case connectionLost
        /// No answer came in time.
        case timedOut
        /// The answer violates the protocol.
        case protocolViolation
        /// The service passed a file, but this process had too many open files to receive it.
        case descriptorLost
        /// The service answered with an error: `error.code` and `error.data.kind`.
        case service(code: Int, kind: String)
    }

    /// What happened.
    public let code: Code
    /// What happened, why, and what to do, for people.
    public let message: String
    /// Whether the same call can succeed later.
    public let isRetryable: Bool
    /// The service's further reason, `error.data.reason`; nil if it gave none.
    public let reason: String?

    /// An error with these members.
    public init(_ code: Code, _ message: String, isRetryable: Bool = false, reason: String? = nil) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.reason = reason
    }

    /// The message.
    public var description: String { message }

    /// The service's kind of error, `error.data.kind`; nil if the service did not answer with an error.
    public var kind: String? {
        if case .service(_, let kind) = code { kind } else { nil }
    }
}
