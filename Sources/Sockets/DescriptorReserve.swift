private import CSockets
private import Glibc
private import SystemPackage

/// A descriptor in reserve. If the process has no free descriptor, the reserve makes it possible to send a caller an error, so
/// that the caller does not wait.
package struct DescriptorReserve: ~Copyable {
    private var reserve = Self.open()

    /// Opens the reserve.
    package init() {}

    deinit {
        close(reserve)
    }

    /// Uses the reserve to accept one connection, sends it a last message, and closes it.
    ///
    /// - Returns: whether a connection was refused and the reserve is open again, so that the next connection can be refused at once.
    package mutating func refuse(from listener: Int32, _ message: [UInt8]) -> Bool {
        close(reserve)
        let connection = csockets_accept(listener)
        if connection >= 0 {
            ConnectedSocket(borrowing: connection).sendLast(message)
            close(connection)
        }
        reserve = Self.open()
        return connection >= 0 && reserve >= 0
    }

    private static func open() -> Int32 {
        (try? FileDescriptor.open(FilePath("/dev/null"), .readOnly, options: .closeOnExec))?.rawValue ?? -1
    }
}
