import Logging
import Postgres

@testable import Exports

/// Runs a transaction of a caller.
func api<Result: Sendable>(
    _ pool: PostgresPool, _ body: @Sendable (isolated PostgresConnection) async throws -> Result
) async throws -> Result {
    try await pool.withTransaction(role: DatabaseRole.api, body)
}

/// Runs a transaction of a worker.
func worker<Result: Sendable>(
    _ pool: PostgresPool, _ body: @Sendable (isolated PostgresConnection) async throws -> Result
) async throws -> Result {
    try await pool.withTransaction(role: DatabaseRole.worker, body)
}

extension LeaseStore {
    /// Ends an attempt for some worker.
    ///
    /// - Returns: the state of the job; nil if the attempt had lost it.
    func end(_ job: ClaimedJob, _ end: AttemptEnd, on connection: isolated PostgresConnection) async throws -> JobState? {
        try await self.end(job, end, of: WorkerID(), on: connection)?.state
    }
}

extension Worker {
    /// A worker that does not run.
    static func idle(_ pool: PostgresPool, _ leases: LeaseStore) -> Worker {
        Worker(
            Worker.Configuration(slots: 1, host: "h", version: "1"),
            database: JobDatabase(pool: pool, role: DatabaseRole.worker), leases: leases, runner: NoRunner(),
            maintenance: WakeSignal(), drain: Drain(budget: .zero), logger: Logger(label: "test"))
    }
}

/// Runs nothing.
private struct NoRunner: JobRunner {
    func checkReadiness() async throws {}
    func storage() async -> String { "ok" }
    func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult {
        throw CancellationError()
    }
    func discard(_ job: ClaimedJob) async {}
    func failure(for error: any Error) -> JobFailure { JobFailure(kind: "k", message: "m") }
}
