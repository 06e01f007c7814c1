import Exports
import Postgres

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
