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
