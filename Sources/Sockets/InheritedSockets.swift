private import Glibc

/// Listening sockets that the service manager has opened (sd_listen_fds(3)).
package enum InheritedSockets {
    private static let first: Int32 = 3

    /// The Unix-domain sockets that were passed to this process, if any. The variables are removed, so that children do
    /// not take them for theirs.
    ///
    /// - Parameter name: the `FileDescriptorName=` that is meant. A descriptor of another name is closed; one without a name
    ///   of its own, which systemd calls by its unit or `unknown`, is taken where no other has the name.
    /// - Throws: ``SocketError`` for a descriptor that is not a listening Unix-domain socket.
    package static func take(_ name: String) throws(SocketError) -> [Int32] {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }
        }
        let pid = variable("LISTEN_PID").flatMap { Int32($0) }
        let count = variable("LISTEN_FDS").flatMap { Int32($0) } ?? 0
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        // Above this there is nothing: sd_listen_fds(3) counts from 3, and no process has so many.
        guard pid == getpid(), (1...1_000).contains(count) else { return [] }
        let all = first..<(first + count)
        for raw in all { _ = fcntl(raw, F_SETFD, FD_CLOEXEC) }
        let chosen = all.filter { choose(named: name, names, at: Int($0 - first)) }
        for raw in all where !chosen.contains(raw) { close(raw) }
        for raw in chosen {
            guard option(SO_ACCEPTCONN, of: raw) == 1, option(SO_DOMAIN, of: raw) == AF_UNIX,
                option(SO_TYPE, of: raw) == Int32(SOCK_STREAM.rawValue)
            else {
                throw SocketError(
                    .notASocket, "the service manager passed a descriptor that is no listening Unix-domain stream socket")
            }
        }
        return chosen
    }

    /// Whether the descriptor at the index is meant by the name.
    static func choose(named name: String, _ names: [Substring], at index: Int) -> Bool {
        guard names.contains(Substring(name)) else { return true }
        return index < names.count && names[index] == name
    }

    private static func option(_ name: Int32, of raw: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(raw, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
