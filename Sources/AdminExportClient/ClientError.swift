/// Why a call failed.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// Nobody serves the socket, or its path makes no sense.
        case unreachable
        /// The socket's mode does not let this user in.
        case socketDenied
        /// The connection ended before the answer came.
        case connectionLost
        /// No answer came in time.
        case timedOut
        /// The answer is not what the protocol promises.
        case protocolViolation
        /// A file was passed, and lost, because this process may have no more open.
        case descriptorLost
        /// The service answered with an error: its number and kind (`error.code`, `error.data.kind`).
        case service(code: Int, kind: String)
    }

    public let code: Code
    /// For people.
    public let message: String
    /// Whether the same call may well succeed later.
    public let isRetryable: Bool
    /// What the service says more closely (`error.data.reason`), where it does.
    public let reason: String?

    public init(_ code: Code, _ message: String, isRetryable: Bool = false, reason: String? = nil) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.reason = reason
    }

    public var description: String { message }

    /// The service's kind of error, where it is one.
    public var kind: String? {
        if case .service(_, let kind) = code { kind } else { nil }
    }
}
