internal import SystemPackage

/// What is wrong with a socket or its path; the description says what to do.
package struct SocketError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong, for code.
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
        /// Another error of the operating system.
        case system
    }

    /// What went wrong.
    package let code: Code
    /// What happened and what to do, for people.
    package let message: String

    /// An error of this program.
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
