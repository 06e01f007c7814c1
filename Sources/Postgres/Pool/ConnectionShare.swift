private import Synchronization

/// What the pools of a process share that use the same login: the connections that the server lets it have.
///
/// A login may have a `CONNECTION LIMIT`, and a server has `max_connections`. Where there are fewer than the pools would open, a pool
/// without any takes the place of another's idle connection, and is given the next one that comes back. So each pool makes progress,
/// and none holds a connection that another needs more.
package final class ConnectionShare: Sendable {
    private struct Member {
        weak var pool: PostgresPool?
    }

    private struct State {
        var members: [Member] = []
        var lastRefusal: ContinuousClock.Instant?
        var isStopping = false
    }

    /// A refusal after so long without one is told again.
    private static let episode: Duration = .seconds(600)

    private let state = Mutex(State())
    private let noticed: @Sendable (PostgresError) -> Void

    /// - Parameter noticed: told the first time that the server refuses a connection because there are too many.
    package init(noticed: @escaping @Sendable (PostgresError) -> Void = { _ in }) {
        self.noticed = noticed
    }

    func join(_ pool: PostgresPool) {
        state.withLock { $0.members.append(Member(pool: pool)) }
    }

    private func others(than pool: PostgresPool?) -> [PostgresPool] {
        state.withLock { $0.members.compactMap(\.pool) }.filter { $0 !== pool }
    }

    /// The server has refused the pool a connection.
    func refused(_ error: PostgresError) {
        let now = ContinuousClock.now
        let isNew = state.withLock { state in
            defer { state.lastRefusal = now }
            return state.lastRefusal.map { now - $0 > Self.episode } ?? true
        }
        if isNew { noticed(error) }
    }

    /// Whether another pool has no connection and is refused one.
    func isStarving(besides pool: PostgresPool?) -> Bool {
        others(than: pool).contains { $0.isStarving }
    }

    /// Closes an idle connection of another pool.
    func makeRoom(for pool: PostgresPool) -> Bool {
        others(than: pool).sorted { $0.openCount > $1.openCount }.contains { $0.closeIdle() }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// The process stops: whoever waits in a pool that has no connection and is refused one is told so at once, now and later.
    package func stopWaiting() {
        state.withLock { $0.isStopping = true }
        for pool in others(than: nil) { pool.refuseWaiters() }
    }

    /// Whether a pool has no connection and is refused one: whoever can do without theirs should close it.
    package var isStarving: Bool { isStarving(besides: nil) }
}
