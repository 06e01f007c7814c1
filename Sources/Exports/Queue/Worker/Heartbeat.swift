private import Postgres
internal import Logging

/// Keeps the lease of one running job, shows its progress, and finds out when it has to stop.
struct Heartbeat: Sendable {
    /// How often progress is written while rows action, and how often the job's row is polled at.
    private static let tick: Duration = .milliseconds(500)
    /// How long after the last renewal the next is due though nothing moves; a third of the lease where that is shorter.
    private static let idle: Duration = .seconds(4)

    let job: ClaimedJob
    let progress: ProgressCounter
    let lease: LeaseClock
    let leases: LeaseStore
    let database: JobDatabase
    let logger: Logger

    /// Why the run has to end.
    enum Verdict: Sendable, Equatable {
        case cancelRequested
        case overdue
        case leaseLost
    }

    /// Beats until the run has to end, or until the task is cancelled. A worker that cannot renew stops by itself when its
    /// lease is over by its own clock; see ``LeaseClock``.
    func run() async throws -> Verdict {
        var renewed = ContinuousClock.now
        var shown = -1
        while true {
            try await Task.sleep(for: Self.tick)
            guard !lease.isOver else { return .leaseLost }
            let now = ContinuousClock.now
            let current = progress.current
            let isDue = now - renewed >= min(Self.idle, leases.lease / 3)
            let isMoving = current.rowsDone != shown
            do {
                let renewal = try await ask(writing: isDue || isMoving, current)
                switch renewal {
                case .held: break
                case nil: return .leaseLost
                case .cancelRequested: return .cancelRequested
                case .overdue: return .overdue
                case .lost: return .leaseLost
                }
                if isDue || isMoving {
                    renewed = now
                    lease.renew(until: now + leases.lease)
                    shown = current.rowsDone
                }
            } catch let error as PostgresError {
                // Whatever it is: it may be over before the lease is, and is no fault of the export's.
                logger.report(ExportEvent.leaseNotRenewed, [.error: error])
            }
        }
    }

    /// Renews or looks; nil where the lease is over before the answer comes.
    private func ask(
        writing: Bool, _ current: (rowsDone: Int, rowsTotal: Int?)
    ) async throws -> LeaseStore.Renewal? {
        try await withThrowingTaskGroup(of: LeaseStore.Renewal?.self) { group in
            group.addTask {
                try await database.statement { connection in
                    writing
                        ? try await leases.renew(
                            job, rowsDone: current.rowsDone, rowsTotal: current.rowsTotal, on: connection)
                        : try await leases.peek(job, on: connection)
                }
            }
            group.addTask {
                try await Task.sleep(until: lease.until)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
