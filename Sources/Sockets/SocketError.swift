internal import SystemPackage

/// What is wrong with a socket or its path; the description says what to do.
package struct SocketError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Longer than `sun_path` takes.
        case pathTooLong
        /// Another process listens there.
        case inUse
        /// There is something at the path that is not a socket.
        case notASocket
        /// Nobody listens there, or the path does not exist.
        case unreachable
        /// The file's mode does not let this user in.
        case permissionDenied
        /// The peer closed the connection, or took too long.
        case closed
        case system
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(errno: Errno, _ doing: String) {
        self.init(.system, "\(doing): \(errno)")
    }

    package var description: String { message }
}
