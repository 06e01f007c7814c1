import Testing
import TestSupport

@testable import Postgres

/// Statements that are sent together, and what becomes of their transaction.
@Suite(.timeLimit(.minutes(10))) struct PipelineTests {
    private static let table = "CREATE TABLE public.t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)"

    private static func insert(_ id: Int) -> Query {
        Query("insert", "INSERT INTO public.t VALUES ($1::int) RETURNING id", [.integer(id)])
    }

    private static func count(_ connection: PostgresConnection) async throws -> Int? {
        try await connection.query(Query("count", "SELECT count(*) AS count FROM public.t")).first?.decode("count")
    }

    @Test("A transaction begins with its first statement; a body without statements sends nothing")
    func begin() async throws {
        try await TestDatabase.with { database in
            let watcher = try await database.connect()
            let connection = try await database.connect()
            let process: Int? = try await connection.query(Query("process", "SELECT pg_backend_pid() AS process")).first?
                .decode(
                    "process")
            @Sendable func state() async throws -> String? {
                try await watcher.query(
                    Query(
                        "state", "SELECT state || ' ' || query AS state FROM pg_stat_activity WHERE pid = $1::int",
                        [.integer(try #require(process))])
                ).first?.decode("state")
            }
            try await connection.withTransaction { connection in
                #expect(try await state() == "idle SELECT pg_backend_pid() AS process")
                try await connection.query(Query("one", "SELECT 1 AS one"))
                #expect(try await state() == "idle in transaction SELECT 1 AS one")
            }
            #expect(try await state() == "idle COMMIT")
            try await connection.withTransaction { _ in }
            struct Stop: Error {}
            await #expect(throws: Stop.self) { try await connection.withTransaction { _ in throw Stop() } }
            #expect(try await state() == "idle COMMIT")
        }
    }

    @Test(
        "Statements of a pipeline are one transaction: if its commit fails, the error has its SQLSTATE and nothing remains")
    func implicit() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.table)
            let connection = try await database.connect()
            let rows = try await connection.withStatement(role: TestDatabase.superuser) {
                try await $0.query(all: [Self.insert(1), Self.insert(2)])
            }
            #expect(try rows.map { try $0.first?.decode("id", as: Int.self) } == [1, 2])
            let error = await #expect(throws: PostgresError.self) {
                try await connection.withStatement(role: TestDatabase.superuser) {
                    try await $0.query(all: [Self.insert(3), Self.insert(1)])
                }
            }
            #expect(error?.sqlState == "23505")
            #expect(try await Self.count(connection) == 2)
        }
    }

    @Test(
        "A transaction that is committed with its last statements returns its result, also to a task that was cancelled meanwhile"
    )
    func committed() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.table)
            let pool = database.pool(size: 1, user: TestDatabase.superuser)
            let rows = try await Task {
                try await pool.withTransaction { connection in
                    #expect(try await connection.canCommit(with: [Self.insert(1)]))
                    let rows = try await connection.query(last: [Self.insert(1)])
                    // Others see it before the body ends.
                    #expect(try await database.text("SELECT count(*) FROM public.t") == "1")
                    withUnsafeCurrentTask { unsafe $0?.cancel() }
                    return rows
                }
            }.value
            #expect(rows.count == 1)
            let error = await #expect(throws: PostgresError.self) {
                try await pool.withTransaction { try await $0.query(last: [Self.insert(2), Self.insert(1)]) }
            }
            #expect(error?.sqlState == "23505" && error?.query == "commit")
            // The next transaction on the same connection ends with a COMMIT of its own.
            try await pool.withTransaction { _ = try await $0.query(Self.insert(3)) }
            #expect(try await database.text("SELECT string_agg(id::text, ',' ORDER BY id) FROM public.t") == "1,3")
            #expect(pool.figures.opened == 1)
        }
    }
}
