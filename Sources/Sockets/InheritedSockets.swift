private import Glibc

/// Listening sockets that the service manager has opened (sd_listen_fds(3)).
package enum InheritedSockets {
    private static let first: Int32 = 3

    /// The Unix-domain sockets that were passed to this process, if any. The variables are removed, so that children do
    /// not take them for theirs.
    ///
    /// - Throws: ``SocketError`` for a descriptor that is not a listening Unix-domain socket.
    package static func take() throws(SocketError) -> [Int32] {
        func variable(_ name: String) -> Int32? {
            getenv(name).flatMap { Int32(String(cString: $0)) }
        }
        let pid = variable("LISTEN_PID")
        let count = variable("LISTEN_FDS") ?? 0
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        guard pid == getpid(), count > 0 else { return [] }
        var sockets: [Int32] = []
        for raw in first..<(first + count) {
            _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
            guard option(SO_ACCEPTCONN, of: raw) == 1, option(SO_DOMAIN, of: raw) == AF_UNIX else {
                throw SocketError(
                    .notASocket, "the service manager passed a descriptor that is no listening Unix-domain socket")
            }
            sockets.append(raw)
        }
        return sockets
    }

    private static func option(_ name: Int32, of raw: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(raw, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
