private import Glibc

/// The path of a Unix-domain socket, with a valid length.
///
/// SAFETY: the path is shorter than `sun_path`, as `init` checks. The system reads an address, and bytes, of the given lengths
/// during the call.
struct UnixAddress {
    /// `sun_path` has 108 bytes, of which the last is for the terminating zero (unix(7)).
    static let longest = 107

    private let path: [UInt8]

    /// - Parameter path: a path. If it begins with `@`, a name in the abstract namespace.
    /// - Throws: ``SocketError/Code/pathTooLong``
    init(_ path: String) throws(SocketError) {
        guard !path.isEmpty, path.utf8.count <= Self.longest else {
            throw SocketError(
                .pathTooLong,
                "the socket path has \(path.utf8.count) bytes, but the system allows 1 to \(Self.longest): choose a shorter one"
            )
        }
        self.path = Array(path.utf8)
    }

    /// Calls connect(2).
    func connect(_ raw: Int32) -> Int32 {
        unsafe withSocketAddress { unsafe Glibc.connect(raw, $0, $1) }
    }

    /// Calls bind(2).
    func bind(_ raw: Int32) -> Int32 {
        unsafe withSocketAddress { unsafe Glibc.bind(raw, $0, $1) }
    }

    /// Calls sendto(2).
    func send(_ bytes: [UInt8], _ raw: Int32, flags: Int32) -> Int {
        unsafe withSocketAddress { unsafe sendto(raw, bytes, bytes.count, flags, $0, $1) }
    }

    private func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = path.first == UInt8(ascii: "@")
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            unsafe buffer.copyBytes(from: path)
            if isAbstract { unsafe buffer[0] = 0 }
        }
        let length = MemoryLayout<sa_family_t>.size + path.count + (isAbstract ? 0 : 1)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
        }
    }
}

/// Sends datagrams to Unix-domain sockets. Services use them for messages to their manager and to the journal.
package enum Datagram {
    /// Sends one datagram.
    ///
    /// - Parameter timeout: how long to wait for a busy receiver.
    /// - Returns: whether the datagram was sent. A service should not fail if it was not.
    @discardableResult
    package static func send(_ bytes: [UInt8], to path: String, timeout: Duration = .zero) -> Bool {
        guard let address = try? UnixAddress(path) else { return false }
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        if timeout > .zero {
            var time = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
            // SAFETY: the system reads one structure of the given size.
            unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let flags = Int32(MSG_NOSIGNAL) | (timeout > .zero ? 0 : Int32(MSG_DONTWAIT))
        return address.send(bytes, raw, flags: flags) == bytes.count
    }
}
