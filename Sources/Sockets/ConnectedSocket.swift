private import CSockets
private import Glibc
private import SystemPackage

/// A second descriptor for a connection that somebody else reads and writes: for what that one cannot do.
package final class ConnectedSocket: Sendable {
    private let descriptor: PassedDescriptor

    /// - Throws: ``SocketError`` where this process may have no more descriptors.
    package init(duplicating raw: Int32) throws(SocketError) {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SocketError(errno: Errno(rawValue: errno), "a connection cannot be kept") }
        descriptor = PassedDescriptor(adopting: copy)
    }

    /// Sends bytes, and a descriptor with the first of them. Does not wait.
    ///
    /// - Returns: how many bytes have gone; nil where there is no room now.
    /// - Throws: ``SocketError/Code/closed`` where the peer is gone.
    package func send(_ bytes: ArraySlice<UInt8>, _ passed: PassedDescriptor) throws(SocketError) -> Int? {
        let count = bytes.withUnsafeBytes { csockets_send_descriptor(descriptor.raw, $0.baseAddress, $0.count, passed.raw) }
        if count > 0 {
            passed.wasPassed()
            return count
        }
        switch errno {
        // ETOOMANYREFS: this user has too many descriptors on their way, which others have to take first.
        case EAGAIN, EINTR, ENOBUFS, ENOMEM, ETOOMANYREFS: return nil
        default: throw SocketError(.closed, "the peer closed the connection")
        }
    }

    /// Bytes that the peer has not read yet, with what the kernel keeps around them.
    package var unread: Int { Int(csockets_unread(descriptor.raw)) }

    /// Whether the peer has closed both directions, and not only its sending one.
    package var isPeerGone: Bool {
        var entry = pollfd(fd: descriptor.raw, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Ends both directions, also for other descriptors of the socket.
    package func shutdown() {
        _ = Glibc.shutdown(descriptor.raw, Int32(SHUT_RDWR))
    }
}
