package import Logging
package import Postgres
internal import ServiceLifecycle

/// Hears other processes say that there is something to do: one connection of a process, which nothing else uses.
///
/// All works without it, only later. It needs a session of its own, so no pooler that lends one by the transaction.
package struct QueueListener: Service {
    /// How often the connection is tried. A network that went silent is the keepalives' business; this is for a proxy that answers
    /// them and passes nothing on.
    private static let pulse: Duration = .seconds(600)

    /// How often the listener looks whether a pool needs its connection more.
    private static let look: Duration = .seconds(1)

    private let options: ConnectionOptions
    private let share: ConnectionShare?
    private let work: [WakeSignal]
    private let ends: [WakeSignal]
    private let logger: Logger

    /// - Parameters:
    ///   - work: rung when there is something to do.
    ///   - ends: rung when a job is over.
    ///   - share: of the pools with the same login. One without a connection needs it more than the listener does.
    package init(
        _ options: ConnectionOptions, work: [WakeSignal], ends: [WakeSignal], share: ConnectionShare? = nil, logger: Logger
    ) {
        self.options = options
        self.share = share
        self.work = work
        self.ends = ends
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var backoff = Backoff(cap: .seconds(5))
            var isSilent = false
            while !Task.isCancelled {
                do {
                    try await self.listen {
                        backoff.reset()
                        isSilent = false
                    }
                } catch {
                    // Once for each time that it goes away: the database's absence is told of elsewhere.
                    if !isSilent, !Task.isCancelled {
                        self.logger.report(ExportEvent.notListening, [.error: error])
                    }
                    isSilent = true
                    let error = error as? PostgresError
                    // Behind a pooler, or where the login has no connection to spare.
                    let isLasting = error?.code == .unexpectedResult || error?.sqlState == SQLState.tooManyConnections
                    try? await Task.sleep(for: isLasting ? .seconds(60) : backoff.next())
                }
            }
        }
    }

    private func listen(started: () -> Void) async throws {
        let connection = try await PostgresConnection.connect(options)
        try await connection.listen(QueueNotification.channel)
        started()
        // What was said before nobody heard.
        (work + ends).forEach { $0.signal() }
        var heard = ContinuousClock.now
        while !Task.isCancelled {
            if share?.isStarving ?? false {
                throw PostgresError(
                    .unreachable, "no connection is left for LISTEN; raise the login's CONNECTION LIMIT or max_connections",
                    sqlState: SQLState.tooManyConnections)
            }
            let words = try await connection.notifications(within: share == nil ? Self.pulse : Self.look)
            if words.isEmpty, heard.duration(to: .now) < Self.pulse { continue }
            heard = .now
            if words.isEmpty { try await connection.query(Query("pulse", "SELECT 1 AS one")) }
            if words.contains(QueueNotification.ended) { ends.forEach { $0.signal() } }
            // Whatever else is said, by other versions too, is a reason to look.
            if words.contains(where: { $0 != QueueNotification.ended }) { work.forEach { $0.signal() } }
        }
    }
}
