private import Synchronization

/// The connections that the server allows a login, shared by the pools of a process that use this login.
///
/// A login may have a `CONNECTION LIMIT`, and a server has `max_connections`. If that is less than the pools would open, a pool without
/// a connection gets the place of another pool's idle connection, or the next one that is returned. So each pool makes progress.
package final class ConnectionShare: Sendable {
    private struct Member {
        weak var pool: PostgresPool?
    }

    private struct State {
        var members: [Member] = []
        var lastRefusal: ContinuousClock.Instant?
        var isStopping = false
    }

    /// A refusal is reported again after this time without one.
    private static let reportInterval: Duration = .seconds(600)

    private let state = Mutex(State())
    private let report: @Sendable (PostgresError) -> Void

    /// - Parameter report: called at the first time that the server refuses a connection because there are too many.
    package init(report: @escaping @Sendable (PostgresError) -> Void = { _ in }) {
        self.report = report
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
            return state.lastRefusal.map { now - $0 > Self.reportInterval } ?? true
        }
        if isNew { report(error) }
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

    /// For a process that stops: ends the waits in pools that have no connection and are refused one, now and later.
    package func stopWaiting() {
        state.withLock { $0.isStopping = true }
        for pool in others(than: nil) { pool.refuseWaiters() }
    }

    /// Whether a pool has no connection and is refused one. A connection that is not needed should be closed then.
    package var isStarving: Bool { isStarving(besides: nil) }
}
