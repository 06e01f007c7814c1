internal import SystemPackage

/// An error of a socket or its path. The description says what to do.
package struct SocketError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong. Programs decide by this.
    package enum Code: Sendable {
        /// The path is empty, or too long for `sun_path`.
        case pathTooLong
        /// Another process listens at the path.
        case inUse
        /// The file at the path, or an inherited descriptor, is not such a socket.
        case notASocket
        /// No process listens at the path, the path does not exist, or the backlog stays full.
        case unreachable
        /// The mode of the socket does not let this user connect.
        case permissionDenied
        /// The peer closed the connection, or took no bytes for too long.
        case closed
        /// Another error of the operating system.
        case system
    }

    /// What went wrong.
    package let code: Code
    /// What happened, why, and what to do, for people.
    package let message: String

    /// Creates an error.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(errno: Errno, _ doing: String) {
        self.init(.system, "\(doing): \(errno)")
    }

    /// The message.
    package var description: String { message }
}
