package import Logging
package import Postgres
internal import ServiceLifecycle

/// Receives the notifications of other processes, on a connection that nothing else uses.
///
/// Without it everything still works, with the delay of polling. It needs a session of its own, so it cannot work behind a
/// pooler that assigns a session to each transaction.
package struct QueueListener: Service {
    /// How often it tests the connection. Keepalives detect a dead network; this detects a proxy that answers keepalives but
    /// forwards nothing.
    private static let testInterval: Duration = .seconds(600)

    /// How often it checks whether a pool needs the connection more.
    private static let shareInterval: Duration = .seconds(1)

    private let options: ConnectionOptions
    private let share: ConnectionShare?
    private let worker: Worker?
    private let watch: JobWatch?
    private let logger: Logger

    /// - Parameters:
    ///   - worker: the worker of this process, woken when there is something to do; nil if there is none. The session that listens holds
    ///     its proof.
    ///   - watch: queries its jobs when one has ended; nil if there are no callers.
    ///   - share: the connections of the login. A pool without any connection needs one more than the listener does.
    package init(
        _ options: ConnectionOptions, worker: Worker? = nil, watch: JobWatch? = nil, share: ConnectionShare? = nil,
        logger: Logger
    ) {
        self.options = options
        self.share = share
        self.worker = worker
        self.watch = watch
        self.logger = logger
    }

    /// Listens until the service stops, and connects again after an error.
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
                    // Once for each loss of the connection; other parts report that the database is unreachable.
                    if !isSilent, !Task.isCancelled {
                        self.logger.report(ExportEvent.notListening, [.error: error])
                    }
                    isSilent = true
                    let error = error as? PostgresError
                    // A pooler, or a login without a spare connection.
                    let isLasting = error?.code == .unexpectedResult || error?.sqlState == SQLState.tooManyConnections
                    try? await Task.sleep(for: isLasting ? .seconds(60) : backoff.next())
                }
            }
        }
    }

    private func listen(started: () -> Void) async throws {
        let connection = try await PostgresConnection.connect(options)
        try await connection.listen(QueueNotification.channel)
        // Now no pooler can be in between.
        try await worker?.proof.hold(on: connection)
        defer { worker?.proof.lose() }
        started()
        // Earlier notifications were lost.
        wake(for: [.work, .ended])
        var received = ContinuousClock.now
        while !Task.isCancelled {
            if share?.isStarving ?? false {
                throw PostgresError(
                    .unreachable, "no connection is left for LISTEN; raise the login's CONNECTION LIMIT or max_connections",
                    sqlState: SQLState.tooManyConnections)
            }
            let payloads = try await connection.notifications(within: share == nil ? Self.testInterval : Self.shareInterval)
            if payloads.isEmpty, received.duration(to: .now) < Self.testInterval { continue }
            received = .now
            if payloads.isEmpty { try await connection.query(Query("test-connection", "SELECT 1 AS one")) }
            wake(for: Set(payloads.compactMap { QueueNotification(payload: $0, receivedBy: worker?.id) }))
        }
    }

    private func wake(for notifications: Set<QueueNotification>) {
        if notifications.contains(.work) { worker?.wakeSignal.signal() }
        if notifications.contains(.ended) { watch?.queryNow() }
    }
}
