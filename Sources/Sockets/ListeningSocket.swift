private import CSockets
private import Glibc
private import SystemPackage

/// A Unix-domain socket that takes connections: inherited from the service manager, or bound here.
///
/// SAFETY, for every `unsafe` here: the system reads the path, and fills one structure, during the call.
package struct ListeningSocket: ~Copyable {
    private static let backlog: Int32 = 512

    /// nil once it was released.
    private var descriptor: OwnedDescriptor?
    /// Removed at the end, where this process made it.
    private let boundPath: String?
    /// Kept open for its lock.
    private let lock: Int32

    deinit {
        if let boundPath { unsafe unlink(boundPath) }
        if lock >= 0 {
            // A process that was just started may have a copy for a moment: closing ours alone would not unlock.
            flock(lock, LOCK_UN)
            close(lock)
        }
    }

    /// Gives the descriptor, which does not block, to somebody who accepts connections and closes it. The path stays until this value ends.
    ///
    /// - Precondition: it is called once.
    package mutating func release() -> Int32 {
        guard let descriptor = descriptor.take() else { preconditionFailure("the descriptor was released before") }
        return descriptor.release()
    }

    /// Takes over a listening socket that another process has bound. Its path is not touched.
    package init(inherited raw: Int32) throws(SocketError) {
        descriptor = OwnedDescriptor(adopting: raw)
        boundPath = nil
        lock = -1
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) | O_NONBLOCK)
    }

    /// Binds the path with mode 0660.
    ///
    /// A socket that a dead process left is replaced; one that answers is not. A lock file beside it decides between two
    /// processes that start at once.
    ///
    /// - Throws: ``SocketError``: `pathTooLong`, `inUse`, `notASocket`, `system`.
    package init(path: String) throws(SocketError) {
        let address = try UnixAddress(path)
        let lock = unsafe open(path + ".lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.fault("the socket's directory cannot be written") }
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

    private static func bind(_ path: String, _ address: UnixAddress) throws(SocketError) -> Int32 {
        try clear(path, address)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard raw >= 0 else { throw fault("the socket cannot be created") }
        // Until chmod only the owner can connect: connecting takes the right to write.
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
                .notASocket, "the file at the socket's path is not a socket; remove it, or choose another path")
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

    /// The Unix-domain sockets that were passed to this process, if any. The variables are removed, so that children do
    /// not take them for theirs.
    ///
    /// - Parameter name: the `FileDescriptorName=` that is meant. A descriptor of another name is closed; one without a name
    ///   of its own, which systemd calls by its unit or `unknown`, is taken where no other has the name.
    /// - Throws: ``SocketError`` for a descriptor that is not a listening Unix-domain socket.
    package static func take(_ name: String) throws(SocketError) -> [Int32] {
        func variable(_ name: String) -> String? {
            // SAFETY: the text is copied before the environment changes.
            unsafe getenv(name).map { unsafe String(cString: $0) }
        }
        let pid = variable("LISTEN_PID").flatMap { Int32($0) }
        let count = variable("LISTEN_FDS").flatMap { Int32($0) } ?? 0
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) }
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
                    .notASocket,
                    "the service manager passed a descriptor that is not a listening Unix stream socket; correct the socket unit"
                )
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
        // SAFETY: the system fills one number of the given size.
        return unsafe getsockopt(raw, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
