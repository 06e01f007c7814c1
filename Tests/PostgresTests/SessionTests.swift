@testable import Postgres
import TestSupport
import Testing

/// State that remains in a dedicated session, and that must not remain in a session of a pooler.
@Suite(.timeLimit(.minutes(10))) struct SessionTests {
    private func user(_ connection: isolated PostgresConnection) async throws -> String? {
        try await connection.query(Query("user", "SELECT current_user::text AS name")).first?.decode("name")
    }

    private func login(_ connection: PostgresConnection) async throws -> String? {
        try await connection.query(Query("login", "SELECT current_user::text AS name")).first?.decode("name")
    }

    /// The value that the session itself has, outside of the client's settings.
    private func left(_ query: Query, in connection: isolated PostgresConnection) throws -> String? {
        try connection.run(query).first?.decode("s")
    }

    private func connect(_ database: TestDatabase, keepsSession: Bool) async throws -> PostgresConnection {
        var options = ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser))
        options.keepsSession = keepsSession
        return try await PostgresConnection.connect(options)
    }

    @Test(
        "A role applies only to the statement or transaction that assumed it, whatever came before",
        arguments: [true, false])
    func roles(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            let name = try await login(connection)
            for _ in 0..<3 {
                #expect(try await connection.withStatement(role: "pg_monitor") { try await user($0) } == "pg_monitor")
                #expect(try await login(connection) == name)
                #expect(
                    try await connection.withTransaction(role: "pg_read_all_data") { try await user($0) }
                        == "pg_read_all_data")
                #expect(try await connection.withTransaction { try await user($0) } == name)
            }
            await #expect(throws: PostgresError.self) {
                try await connection.withTransaction(role: "nobody_has_this_role") { _ in }
            }
            #expect(try await connection.withStatement(role: "pg_monitor") { try await user($0) } == "pg_monitor")
        }
    }

    @Test(
        "Timeouts apply in each transaction, and remain only in a dedicated session", arguments: [true, false])
    func settings(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            let setting = Query("s", "SELECT current_setting('statement_timeout') AS s")
            let inside: String? = try await connection.withTransaction { try await $0.query(setting).first?.decode("s") }
            #expect(inside == "30s")
            let alone: String? = try await connection.query(setting).first?.decode("s")
            #expect(alone == "30s")
            #expect(try await left(setting, in: connection) == (keepsSession ? "30s" : "0"))
        }
    }

    @Test("A statement is prepared once, up to a limit of prepared statements", arguments: [true, false])
    func prepared(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            func count() async throws -> Int? {
                try await connection.query(Query("c", "SELECT count(*) AS c FROM pg_prepared_statements")).first?.decode("c")
            }
            for number in 0..<100 {
                let rows = try await connection.query(Query("n", "SELECT \(number) + $1::int AS n", [.integer(1)]))
                #expect(try rows.first?.decode("n") == number + 1)
                _ = try await connection.query(Query("same", "SELECT $1::text AS n", [.text("\(number)")]))
            }
            #expect(try await count() == (keepsSession ? 64 : 0))
        }
    }

    @Test("Plans are renewed after five minutes, and the number of prepared statements is limited")
    func planAge() {
        var statements = PreparedStatements()
        let now = ContinuousClock.now
        #expect(!statements.arePlansOld(at: now + .seconds(1_000)))
        for number in 0..<64 {
            #expect(statements.newName() == "s\(number)")
            statements.keep("s\(number)", for: "SELECT \(number)", at: now)
        }
        #expect(statements.newName() == nil && statements.name(of: "SELECT 63") == "s63")
        #expect(!statements.arePlansOld(at: now + .seconds(299)) && statements.arePlansOld(at: now + .seconds(300)))
        statements.renewPlans(at: now + .seconds(300))
        #expect(!statements.arePlansOld(at: now + .seconds(599)) && statements.arePlansOld(at: now + .seconds(600)))
    }

    @Test("Altering a table under a prepared statement causes a transient error, and the next attempt succeeds")
    func altered() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let pool = database.pool(user: TestDatabase.superuser)
            let query = Query("all", "SELECT * FROM altered")
            try await pool.withConnection {
                try await $0.script(
                    "make", "CREATE TABLE public.altered AS SELECT 1 AS one; GRANT ALL ON public.altered TO PUBLIC")
            }
            #expect(try await pool.withConnection { try await $0.query(query).count } == 1)
            try await database.execute("ALTER TABLE altered ADD COLUMN two int DEFAULT 2")
            let error = await #expect(throws: PostgresError.self) {
                _ = try await pool.withConnection { try await $0.query(query) }
            }
            #expect(error?.isTransient == true)
            let two: Int? = try await pool.withConnection { try await $0.query(query).first?.decode("two") }
            #expect(two == 2)
        }
    }

    @Test(
        "Rows up to a limit are read into a buffer in the format of COPY; more rows are refused", arguments: [true, false])
    func rows(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            let sql = "SELECT i::int8, CASE WHEN i % 2 = 0 THEN 'row ' || i END, ''::text FROM generate_series(1, 50) i"
            let copied = CopyBuffer()
            _ = try await connection.withCopy(Query("c", "COPY (\(sql)) TO STDOUT (FORMAT binary)")) { _, stream in
                try await stream.next(into: copied)
            }
            let buffer = CopyBuffer()
            #expect(try await connection.rows(of: Query("r", sql), atMost: 50, into: buffer))
            #expect(buffer.bytes == copied.bytes)
            #expect(try await !connection.rows(of: Query("r", sql), atMost: 49, into: buffer) && buffer.count == 0)
            #expect(try await login(connection) != nil)
        }
    }

    private func read(_ name: String, _ sql: String, atMost limit: Int = 50) -> PostgresConnection.BufferedQuery {
        .init(Query(name, sql), atMost: limit, into: CopyBuffer())
    }

    @Test(
        "Several statements fill their buffers in order, up to their limits, with and without a pipeline",
        arguments: [true, false])
    func atOnce(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            @Sendable func series(_ count: Int) -> String {
                "SELECT i::int8, 'row ' || i FROM generate_series(1, \(count)) i"
            }
            for _ in 0..<2 {
                let reads = [
                    read("a", series(50)), read("b", series(51)), read("c", series(0)), read("d", "SET LOCAL x.y = 1"),
                ]
                let results = try await connection.withTransaction { try await $0.rows(of: reads) }
                #expect(results == [true, false, true, false])
                for (read, count) in zip(reads, [50, nil, 0, nil]) {
                    let alone = CopyBuffer()
                    if let count {
                        #expect(try await connection.rows(of: Query("e", series(count)), atMost: 50, into: alone))
                    }
                    #expect(read.buffer.bytes == alone.bytes)
                }
            }
            #expect(try await login(connection) != nil)
        }
    }

    @Test(
        "If one of several statements fails, its error is thrown, those after it have not run, and the connection is usable",
        arguments: [true, false])
    func atOnceFails(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await connect(database, keepsSession: keepsSession)
            try await database.execute("CREATE SEQUENCE ran")
            let reads = [
                read("a", "SELECT 1::int8"), read("b", "SELECT (1 / (i - 1))::int8 FROM generate_series(1, 2) i"),
                read("c", "SELECT nextval('ran')"), read("d", "SELECT 1::int8 / 0"),
            ]
            for _ in 0..<2 {
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await connection.withTransaction { try await $0.rows(of: reads) }
                }
                #expect(error?.sqlState == "22012" && error?.query == "b" && error?.isTransient == false)
                #expect(await connection.isUsable)
            }
            #expect(try await database.text("SELECT is_called FROM ran") == "false")
            #expect(try await login(connection) != nil)
        }
    }

    @Test("Several statements stop when the task is cancelled, and when the server ends the session")
    func atOnceStops() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            for isCancelled in [true, false] {
                let reads = (0..<3).map { read("sleep-\($0)", "SELECT pg_sleep(60), \($0)::int8") }
                let task = Task { try await connection.withTransaction { try await $0.rows(of: reads) } }
                try await eventually("the first statement runs") { try await database.text(waiting) == "1" }
                if isCancelled {
                    task.cancel()
                    await #expect(throws: CancellationError.self) { _ = try await task.value }
                } else {
                    try await database.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
                    )
                    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
                    #expect(error?.isTransient == true)
                }
                #expect(await connection.isUsable == isCancelled)
            }
        }
    }

    @Test("A second connection reads the snapshot of the first one, and an invalid snapshot name is refused")
    func snapshots() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let (first, second) = (try await database.connect(), try await database.connect())
            try await database.execute("CREATE TABLE seen AS SELECT 1 AS one")
            let count = Query("count", "SELECT count(*) AS count FROM seen")
            try await first.withTransaction(isolation: .repeatableRead, readOnly: true) { first in
                let snapshot = try first.exportSnapshot()
                try await database.execute("INSERT INTO seen VALUES (2)")
                let seen: Int? = try await second.withTransaction(
                    isolation: .repeatableRead, readOnly: true, role: "pg_read_all_data", snapshot: snapshot
                ) { try await $0.query(count).first?.decode("count") }
                #expect(seen == 1)
            }
            for text in ["", "'; DROP TABLE seen", "0000-1 "] {
                #expect(PostgresConnection.SnapshotID(text, server: Timestamp(microseconds: 0)) == nil)
            }
        }
    }

    @Test("A connection whose statement is refused for lack of a privilege is closed")
    func revoked() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let pool = PostgresPool(
                ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser)), size: 1)
            func process() async throws -> Int? {
                try await pool.withStatement(role: "pg_monitor") {
                    try await $0.query(Query("p", "SELECT pg_backend_pid() AS p")).first?.decode("p")
                }
            }
            let first = try await process()
            #expect(try await process() == first)
            await #expect(throws: PostgresError.self) {
                try await pool.withStatement(role: "pg_monitor") {
                    _ = try await $0.query(Query("no", "SELECT passwd FROM pg_shadow WHERE pg_read_file('x') IS NULL"))
                }
            }
            #expect(try await process() != first)
        }
    }

    @Test("A request gets a spare connection only if the pool has a free one")
    func spare() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let pool = PostgresPool(ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser)), size: 2)
            try await pool.withConnection { _ in
                let inner = try await pool.withSpareConnection { second in
                    #expect(try await pool.withSpareConnection { _ in true } == nil)
                    return try await login(second)
                }
                #expect(inner != nil)
                #expect(try await pool.withSpareConnection { _ in true } == true)
            }
            let unreachable = PostgresPool(ConnectionOptions(connectionString: "host=/nowhere"), size: 1)
            #expect(try await unreachable.withSpareConnection { _ in true } == nil)
        }
    }
}
