internal import CLibPQ
private import Glibc
private import Synchronization

extension PostgresConnection {
    /// Listens on a channel from now on. The connection serves nothing else after that.
    ///
    /// - Parameter channel: a name of the program's own, never data.
    /// - Throws: ``PostgresError``; `unexpectedResult` where the session does not keep what it is told, as behind a pooler that
    ///   lends a session for a transaction.
    package func listen(_ channel: String) async throws {
        try await script("listen", "LISTEN \(channel)")
        // Asked in a transaction of its own: a pooler may have another session answer, which listens to nothing.
        let rows = try await query(
            Query("listening", "SELECT $1::text = ANY (ARRAY(SELECT pg_listening_channels())) AS listens", [.text(channel)]))
        guard try rows.first?.decode("listens") == true else {
            throw PostgresError(
                .unexpectedResult, "the session does not listen: a pooler stands between, which lends it by the transaction")
        }
    }

    /// Waits for notifications on the connection's own thread.
    ///
    /// - Returns: whether there was one; several count as one.
    /// - Throws: ``PostgresError/Code/connectionLost``; `CancellationError`, after which the connection may be used again.
    package func notification(within time: Duration) async throws -> Bool {
        try Task.checkCancellation()
        let interrupt = try Interrupt()
        return try await withTaskCancellationHandler {
            let deadline = ContinuousClock.now + time
            while true {
                guard !isDead, PQconsumeInput(handle.raw) == 1 else {
                    isDead = true
                    throw handle.lost(during: "notification")
                }
                if takeNotifications() { return true }
                guard interrupt.wait(with: PQsocket(handle.raw), until: deadline) else { return false }
                try Task.checkCancellation()
            }
        } onCancel: {
            interrupt.raise()
        }
    }

    private func takeNotifications() -> Bool {
        var found = false
        while let notification = PQnotifies(handle.raw) {
            PQfreemem(notification)
            found = true
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
