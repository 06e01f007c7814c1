private import Glibc

/// Sends one datagram to a Unix-domain socket: how a service talks to its manager and to the journal.
package enum Datagram {
    /// - Parameter patience: how long a receiver that is busy is waited for.
    /// - Returns: false where it could not be sent, which no service should fail for.
    @discardableResult
    package static func send(_ bytes: [UInt8], to path: String, patience: Duration = .zero) -> Bool {
        guard let address = try? UnixAddress(path) else { return false }
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        if patience > .zero {
            var time = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
            setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let flags = Int32(MSG_NOSIGNAL) | (patience > .zero ? 0 : Int32(MSG_DONTWAIT))
        let sent = address.withSocketAddress { pointer, length in
            sendto(raw, bytes, bytes.count, flags, pointer, length)
        }
        return sent == bytes.count
    }
}
