package import Postgres

/// The worker's way to the queue: short transactions as `adminexport_worker`, on connections that no export uses.
package struct WorkerDatabase: Sendable {
    private let pool: PostgresPool
    private let role: String

    package init(pool: PostgresPool, role: String) {
        self.pool = pool
        self.role = role
    }

    package func transaction<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(role: role, body)
    }
}
