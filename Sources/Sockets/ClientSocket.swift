private import CSockets
private import Glibc
private import SystemPackage

/// A connected Unix-domain socket with blocking reads and writes, each with a time limit.
///
/// Reading and writing may be done by two threads at once; `shutdown` wakes both.
///
/// SAFETY, for every `unsafe` here: the system reads and writes the given numbers of bytes, descriptors and entries during the call.
package final class ClientSocket: Sendable {
    /// How long a service may leave its socket's backlog full.
    private static let connectTimeout = 5

    private let raw: Int32

    /// - Throws: ``SocketError``: `pathTooLong`, `unreachable`, `permissionDenied`, `system`.
    package init(path: String) throws(SocketError) {
        let address = try UnixAddress(path)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard raw >= 0 else { throw SocketError(errno: Errno(rawValue: errno), "the socket cannot be created") }
        // On Linux it bounds connecting too (unix(7) has a full backlog waited for), and writes do not block here.
        var timeout = timeval(tv_sec: Self.connectTimeout, tv_usec: 0)
        unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard address.connect(raw) == 0 else {
            let code = errno
            close(raw)
            switch code {
            case ENOENT, ECONNREFUSED:
                throw SocketError(.unreachable, "no process serves the socket \(path); check that adminexportd is running")
            case EAGAIN:
                throw SocketError(
                    .unreachable, "the service does not accept connections on the socket \(path); try again in a moment")
            case EACCES, EPERM:
                throw SocketError(
                    .permissionDenied,
                    "you may not use the socket \(path); ask an administrator to add you to its group (usually adminexport-clients)"
                )
            default:
                throw SocketError(errno: Errno(rawValue: code), "the socket \(path) cannot be reached")
            }
        }
        self.raw = raw
    }

    /// Takes over a socket that is connected already.
    package init(adopting raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Ends both directions; a read that waits returns, writes fail.
    package func shutdown() {
        _ = Glibc.shutdown(raw, Int32(SHUT_RDWR))
    }

    /// Sends all bytes.
    ///
    /// - Throws: ``SocketError/Code/closed`` where the peer is gone or takes nothing for the time.
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

    /// What came at once.
    package struct Received: Sendable {
        /// None at the end.
        package let bytes: [UInt8]
        /// Open files that came with them. The kernel may put bytes that were sent before in front of these bytes, never
        /// bytes that were sent after: with the end of a line, its descriptors have arrived too.
        package let descriptors: [PassedDescriptor]
        /// Descriptors came that this process had no room for, and were lost.
        package let hasLostDescriptors: Bool
    }

    /// Receives some bytes, and the descriptors with them. Waits for as long as it takes, until ``shutdown()``.
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
        guard ready != 0 else { throw SocketError(.closed, "the service did not read for \(timeout)") }
    }
}
