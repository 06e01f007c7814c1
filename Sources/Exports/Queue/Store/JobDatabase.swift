package import Postgres

/// A way to the queue: short transactions under one role, on connections that no export uses.
package struct JobDatabase: Sendable {
    private let pool: PostgresPool
    private let role: String

    package init(pool: PostgresPool, role: String) {
        self.pool = pool
        self.role = role
    }

    /// The same for a body that runs one statement, at most.
    package func statement<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withStatement(role: role, body)
    }

    package func transaction<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(role: role, body)
    }
}
