private import CSockets
private import Glibc
private import SystemPackage

/// A connected Unix-domain socket with blocking reads, and blocking writes with a time limit.
///
/// One thread may read while another writes. ``shutdown()`` wakes both.
///
/// SAFETY, for every `unsafe` here: the system reads and writes the given numbers of bytes, descriptors and entries during the
/// call.
package final class ClientSocket: Sendable {
    /// How long to wait, in seconds, for a service whose backlog of connections is full.
    private static let connectTimeout = 5

    private let raw: Int32

    /// Connects to a path.
    ///
    /// - Throws: ``SocketError``: `pathTooLong`, `unreachable`, `permissionDenied`, `system`.
    package init(path: String) throws(SocketError) {
        let address = try UnixAddress(path)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard raw >= 0 else { throw SocketError(errno: Errno(rawValue: errno), "cannot create a socket") }
        // On Linux, SO_SNDTIMEO also limits connect(2), which waits while the backlog is full. It does not affect writes,
        // because they never block in send(2).
        var timeout = timeval(tv_sec: Self.connectTimeout, tv_usec: 0)
        unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard address.connect(raw) == 0 else {
            let code = errno
            close(raw)
            switch code {
            case ENOENT, ECONNREFUSED:
                throw SocketError(.unreachable, "no process serves the socket \(path): start adminexport.socket")
            case EAGAIN:
                throw SocketError(.unreachable, "the service does not accept connections on \(path): try again later")
            case EACCES, EPERM:
                throw SocketError(
                    .permissionDenied,
                    "this user may not use the socket \(path): ask to be added to its group (usually adminexport-clients)")
            default:
                throw SocketError(errno: Errno(rawValue: code), "cannot connect to the socket \(path)")
            }
        }
        self.raw = raw
    }

    /// Takes ownership of a connected socket.
    package init(adopting raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Ends both directions. A read that waits returns, and writes fail.
    package func shutdown() {
        _ = Glibc.shutdown(raw, Int32(SHUT_RDWR))
    }

    /// Sends all bytes.
    ///
    /// - Parameter timeout: how long the peer may take no bytes.
    /// - Throws: ``SocketError/Code/closed`` if the peer is gone or the time is up.
    package func write(_ bytes: [UInt8], timeout: Duration) throws(SocketError) {
        var sent = 0
        while sent < bytes.count {
            try wait(POLLOUT, timeout)
            let count = unsafe bytes[sent...].withUnsafeBytes { rest in
                unsafe send(raw, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                sent += count
            } else if errno != EAGAIN, errno != EINTR {
                throw SocketError(.closed, "the service closed the connection")
            }
        }
    }

    /// What one call received.
    package struct Received: Sendable {
        /// The bytes; empty at the end of the stream.
        package let bytes: [UInt8]
        /// Open files that arrived with the bytes. The kernel may merge them with bytes that were sent before, never with bytes
        /// that were sent after them. So the descriptors of a line have arrived when its end has.
        package let descriptors: [PassedDescriptor]
        /// Whether descriptors were lost because this process has too many open files.
        package let hasLostDescriptors: Bool
    }

    /// Receives the next bytes with their descriptors. Waits without a time limit, until the peer closes or ``shutdown()``.
    package func receive() -> Received {
        while true {
            var got = 0
            var descriptors = [Int32](repeating: -1, count: 16)
            var count: Int32 = 0
            let bytes = [UInt8](capacity: 64 * 1024) { bytes in
                unsafe bytes.withUnsafeMutableBufferPointer { buffer, length in
                    got = unsafe csockets_receive(raw, buffer.baseAddress, buffer.count, &descriptors, 16, &count)
                    length = max(0, got)
                }
            }
            if got < 0, errno == EINTR { continue }
            return Received(
                bytes: bytes, descriptors: descriptors.prefix(max(0, Int(count))).map { PassedDescriptor(adopting: $0) },
                hasLostDescriptors: count < 0)
        }
    }

    private func wait(_ events: Int32, _ timeout: Duration) throws(SocketError) {
        var entry = pollfd(fd: raw, events: Int16(events), revents: 0)
        let ready = unsafe poll(&entry, 1, Int32(clamping: min(timeout.components.seconds, 1_000_000) * 1_000))
        guard ready != 0 else { throw SocketError(.closed, "the service read nothing for \(timeout)") }
    }
}
