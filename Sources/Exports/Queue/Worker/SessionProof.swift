internal import Postgres
private import Synchronization

/// Shows other workers that this process lives: an advisory lock on the session that listens. PostgreSQL frees the lock when the
/// session ends, so if the process is killed, its jobs need not wait for the end of their leases.
///
/// The proof only ever shortens a lease. A stopped process and a machine that has vanished keep the lock, and then the lease decides.
/// After a failover, a restart and a crash of the server every lock is free; see ``WorkerRegistry/isDead(seenBy:)``.
package final class SessionProof: Sendable {
    /// The time between renewals of a lease. One that was renewed in the last two seconds belongs to a worker that lives.
    static let renewalInterval: Duration = .seconds(1)

    private let state = Mutex<Int?>(nil)
    private let changed: WakeSignal

    /// - Parameter changed: signalled when the lock is taken or lost.
    package init(changed: WakeSignal) {
        self.changed = changed
    }

    /// The number of the lock; nil while no session holds it.
    var lock: Int? { state.withLock { $0 } }

    /// Takes a new lock on the session. Each session has another one, so no former session can hold it.
    func hold(on session: isolated PostgresConnection) async throws {
        let number = Int.random(in: 1...Int.max)
        let rows = try await session.query(
            Query("hold-proof", "SELECT pg_try_advisory_lock($1::bigint) AS is_held", [.integer(number)]))
        guard try rows.first?.decode("is_held") == true else { return }
        state.withLock { $0 = number }
        changed.signal()
    }

    /// The session has ended.
    func lose() {
        state.withLock { $0 = nil }
        changed.signal()
    }
}
