package import Postgres

/// The queue's access to PostgreSQL: short transactions under one role, on connections that no export uses.
package struct JobDatabase: Sendable {
    private let pool: PostgresPool
    private let role: String

    /// Access under a role of ``DatabaseRole``. The pool's login must be a member of the role.
    package init(pool: PostgresPool, role: String) {
        self.pool = pool
        self.role = role
    }

    /// Runs a body of at most one statement, which is then a transaction of its own, or one call of
    /// ``PostgresConnection/query(all:)``.
    package func statement<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withStatement(role: role, body)
    }

    /// Runs the body in a transaction: commits when it returns, rolls back when it throws.
    package func transaction<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(role: role, body)
    }
}

/// The parameters of a statement, numbered in the order in which they are added.
struct Parameters {
    private(set) var values: [Query.Parameter]

    init(_ values: [Query.Parameter] = []) {
        self.values = values
    }

    /// - Returns: the parameter's placeholder.
    mutating func add(_ value: Query.Parameter) -> String {
        values.append(value)
        return "$\(values.count)"
    }
}

/// The notifications by which processes wake one another.
///
/// A notification is a hint: it names no job, may get lost, and may come without need. All receivers also poll: workers every
/// five seconds, ``JobWatch`` every 250 ms. A commit with a notification takes a lock of the whole server, so only statements
/// that add work or end a job send one.
///
/// The payload begins with `ended` or, for work, with any other word. A second word may be the id of the worker whose process has sent it;
/// that process ignores it. Programs of schema version 4 and before read `ended` with an id as work: they poll without need, and find the end
/// of a job within 250 ms.
package enum QueueNotification: String {
    /// There is something to do.
    case work
    /// A job has ended.
    case ended

    /// The channel of LISTEN and NOTIFY.
    package static let channel = "adminexport"

    /// Sends the notification when the transaction commits: an expression for a SELECT or RETURNING list.
    var sql: String { "pg_notify('\(Self.channel)', '\(rawValue)') IS NULL AS signalled" }

    /// The same, from the process of a worker.
    ///
    /// - Parameter worker: the parameter with the worker's id.
    func sql(from worker: String) -> String {
        "pg_notify('\(Self.channel)', '\(rawValue) ' || \(worker)::text) IS NULL AS signalled"
    }

    /// Reads a payload; nil if the worker's own process has sent it.
    init?(payload: String, receivedBy worker: WorkerID?) {
        let words = payload.split(separator: " ")
        if let worker, words.count == 2, words[1] == worker.description { return nil }
        // Every other payload, of other versions too, means work.
        self = words.first == "ended" ? .ended : .work
    }
}
