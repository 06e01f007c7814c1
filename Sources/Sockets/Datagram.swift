private import Glibc

/// Sends one datagram to a Unix-domain socket: how a service talks to its manager and to the journal.
package enum Datagram {
    /// - Returns: false where it could not be sent, which no service should fail for.
    @discardableResult
    package static func send(_ bytes: [UInt8], to path: String) -> Bool {
        guard let address = try? UnixAddress(path) else { return false }
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        let sent = address.withSocketAddress { pointer, length in
            sendto(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), pointer, length)
        }
        return sent == bytes.count
    }
}
