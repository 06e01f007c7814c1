internal import CLibPQ
private import Glibc
private import Synchronization

extension PostgresConnection {
    /// Listens on a channel from now on. The connection serves nothing else after that.
    ///
    /// - Parameter channel: a name of the program's own, never data.
    /// - Throws: ``PostgresError``; `unexpectedResult` behind a pooler, which may lend another session for each
    ///   transaction.
    package func listen(_ channel: String) async throws {
        // What a pooler lends for a transaction must not be left listening, for nobody would ever read what it hears.
        guard try isServer() else {
            throw PostgresError(
                .unexpectedResult, "a pooler stands between here and the server, and the session may not be kept")
        }
        try await script("listen", "LISTEN \(channel)")
    }

    /// Waits for notifications on the connection's own thread.
    ///
    /// - Returns: what was said, once where it was said several times; nothing where nobody spoke in the time.
    /// - Throws: ``PostgresError/Code/connectionLost``; `CancellationError`, after which the connection may be used again.
    package func notifications(within time: Duration) async throws -> Set<String> {
        try Task.checkCancellation()
        let interrupt = try Interrupt()
        return try await withTaskCancellationHandler {
            let deadline = ContinuousClock.now + time
            while true {
                guard !isDead, PQconsumeInput(handle.raw) == 1 else {
                    isDead = true
                    throw handle.lost(during: "notification")
                }
                let found = takeNotifications()
                if !found.isEmpty { return found }
                guard interrupt.wait(with: PQsocket(handle.raw), until: deadline) else { return [] }
                try Task.checkCancellation()
            }
        } onCancel: {
            interrupt.raise()
        }
    }

    private func takeNotifications() -> Set<String> {
        var found: Set<String> = []
        while let notification = PQnotifies(handle.raw) {
            found.insert(notification.pointee.extra.map { String(cString: $0) } ?? "")
            PQfreemem(notification)
        }
        return found
    }
}

/// Ends a wait for a descriptor from another thread.
private final class Interrupt: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw PostgresError(.unreachable, "no descriptor is left to wait with") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func raise() {
        _ = write(writeEnd, "!", 1)
    }

    /// Waits for the descriptor, for ``raise()``, or for the deadline; false at the deadline.
    func wait(with descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            var entries = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            if ready > 0 || ready < 0 && errno != EINTR { return true }
        }
    }
}
