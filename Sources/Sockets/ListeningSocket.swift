private import CSockets
private import Glibc
private import SystemPackage

/// A Unix-domain socket that accepts connections: inherited from the service manager, or bound here.
///
/// SAFETY, for every `unsafe` here: the system reads the path, and fills one structure, during the call.
package struct ListeningSocket: ~Copyable {
    /// Connections that wait to be accepted. The kernel limits it (`net.core.somaxconn`, 4,096 by default).
    private static let backlog: Int32 = 4_096

    /// nil after ``release()``.
    private var descriptor: OwnedDescriptor?
    /// The path to remove in `deinit`; nil if another process bound the socket.
    private let boundPath: String?
    /// The lock file, open for as long as this process holds its lock; -1 for an inherited socket.
    private let lock: Int32

    deinit {
        if let boundPath { unsafe unlink(boundPath) }
        if lock >= 0 {
            // A process that was just forked may have a copy for a moment. Then a close alone does not unlock the file.
            flock(lock, LOCK_UN)
            close(lock)
        }
    }

    /// Transfers the descriptor, which is in non-blocking mode, to the caller, who has to close it. `deinit` of this value
    /// removes the path.
    ///
    /// - Precondition: called once at most.
    package mutating func release() -> Int32 {
        guard let descriptor = descriptor.take() else { preconditionFailure("the descriptor was released before") }
        return descriptor.release()
    }

    /// Takes ownership of a listening socket that another process has bound. Does not remove its path.
    package init(inherited raw: Int32) throws(SocketError) {
        descriptor = OwnedDescriptor(adopting: raw)
        boundPath = nil
        lock = -1
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) | O_NONBLOCK)
    }

    /// Binds the path with mode 0660.
    ///
    /// A socket that a dead process left is replaced. A socket that a process serves is not. If two processes start at the same
    /// time, a lock file next to the socket ensures that only one binds it.
    ///
    /// - Throws: ``SocketError``: `pathTooLong`, `inUse`, `notASocket`, `system`.
    package init(path: String) throws(SocketError) {
        let address = try UnixAddress(path)
        let lock = unsafe open(path + ".lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.fault("the directory of the socket cannot be written") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw SocketError(.inUse, "another process serves this socket; stop it, or choose another path")
        }
        do throws(SocketError) {
            descriptor = OwnedDescriptor(adopting: try Self.bind(path, address))
        } catch {
            close(lock)
            throw error
        }
        boundPath = path
        self.lock = lock
    }

    /// Sets the backlog again: NIO sets its own, 128, when it takes the descriptor over. During a restart, more callers may wait.
    package static func restoreBacklog(of raw: Int32) {
        _ = listen(raw, backlog)
    }

    private static func bind(_ path: String, _ address: UnixAddress) throws(SocketError) -> Int32 {
        try clear(path, address)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard raw >= 0 else { throw fault("cannot create a socket") }
        // Connecting needs write permission, so before chmod(2) only the owner can connect.
        guard address.bind(raw) == 0, unsafe chmod(path, 0o660) == 0, listen(raw, backlog) == 0 else {
            let fault = fault("the socket cannot be bound")
            close(raw)
            throw fault
        }
        return raw
    }

    private static func clear(_ path: String, _ address: UnixAddress) throws(SocketError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketError(
                .notASocket, "the file at the path of the socket is not a socket: remove it, or choose another path")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        defer { close(probe) }
        guard address.connect(probe) != 0, errno == ECONNREFUSED else {
            throw SocketError(.inUse, "another process serves this socket; stop it, or choose another path")
        }
        unsafe unlink(path)
    }

    private static func fault(_ doing: String) -> SocketError {
        SocketError(errno: Errno(rawValue: errno), doing)
    }
}

/// Listening sockets that the service manager has opened (sd_listen_fds(3)).
package enum InheritedSockets {
    private static let first: Int32 = 3

    /// Returns the Unix-domain sockets that were passed to this process, if any. Removes the environment variables, so that
    /// child processes do not use them.
    ///
    /// - Parameter name: the `FileDescriptorName=` to select. Descriptors with another name are closed. If no descriptor has
    ///   the name, all are selected: systemd names a descriptor after its unit, or `unknown`, if the unit sets no name.
    /// - Throws: ``SocketError`` for a descriptor that is not a listening Unix-domain stream socket.
    package static func take(_ name: String) throws(SocketError) -> [Int32] {
        func variable(_ name: String) -> String? {
            // SAFETY: the text is copied before the environment changes.
            unsafe getenv(name).map { unsafe String(cString: $0) }
        }
        let pid = variable("LISTEN_PID").flatMap { Int32($0) }
        let count = variable("LISTEN_FDS").flatMap { Int32($0) } ?? 0
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) }
        // No service manager passes more than this, so a larger number is ignored.
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
                    .notASocket,
                    "the service manager passed a descriptor that is not a listening Unix-domain stream socket: check ListenStream="
                )
            }
        }
        return chosen
    }

    /// Whether the name selects the descriptor at the index. If no descriptor has the name, it selects all.
    static func choose(named name: String, _ names: [Substring], at index: Int) -> Bool {
        guard names.contains(Substring(name)) else { return true }
        return index < names.count && names[index] == name
    }

    private static func option(_ name: Int32, of raw: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: the system fills one number of the given size.
        return unsafe getsockopt(raw, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
