private import Foundation
@testable import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct PostgresConnectionTests {
    @Test("Values are sent as parameters and decoded by their types")
    func values() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let rows = try await connection.query(
                Query(
                    "values",
                    """
                    SELECT $1::int8 AS big, $2::int4 AS small, $3::text AS text, $4::bool AS flag, NULL::text AS nothing,
                        $5::uuid AS id, $6::text[] AS list, $7::jsonb AS json, timestamptz '1970-01-01 00:00:01Z' AS time,
                        $8::interval = '1500 ms' AS interval
                    """,
                    [
                        .integer(Int.max), 7, "a'\"\\;--é👩‍💻", true, "018f0000-0000-7000-8000-00000000000a",
                        .texts(["a,b", "\"q\"", "\\", "", "NULL"]), "{\"a\": 1}", .interval(.milliseconds(1_500)),
                    ]))
            let row = try #require(rows.first)
            #expect(try row.decode("big", as: Int.self) == Int.max)
            #expect(try row.decode("small", as: Int.self) == 7)
            #expect(try row.decode("text", as: String.self) == "a'\"\\;--é👩‍💻")
            #expect(try row.decode("flag", as: Bool.self))
            #expect(try row.decodeIfPresent("nothing", as: String.self) == nil)
            #expect(try row.decode("id", as: String.self) == "018f0000-0000-7000-8000-00000000000a")
            #expect(try row.decode("list", as: [String].self) == ["a,b", "\"q\"", "\\", "", "NULL"])
            #expect(try row.decode("json", as: String.self) == "{\"a\": 1}")
            #expect(try row.decode("time", as: Timestamp.self).microseconds == 1_000_000)
            #expect(try row.decode("interval", as: Bool.self))
            #expect(throws: PostgresError.self) { try row.decode("big", as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode("nothing", as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode("missing", as: String.self) }
        }
    }

    @Test("An error contains the SQLSTATE and the name of the query, and its description contains no data")
    func errors() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query(Query("bad", "SELECT $1::int", ["secret-value"]))
            }
            #expect(error?.sqlState == "22P02")
            #expect(error?.query == "bad")
            #expect(error?.description.contains("secret-value") == false)
            #expect(error?.isTransient == false)
            let null = await #expect(throws: PostgresError.self) {
                try await connection.query(Query("nul", "SELECT $1::text", ["a\u{0}b"]))
            }
            #expect(null?.sqlState == "22021")
            // The connection remains usable.
            #expect(try await connection.query(Query("one", "SELECT 1 AS one")).first?.decode("one") == 1)
        }
    }

    @Test("A transaction rolls back with the body's own error, uses its role, and can be read-only")
    func transactions() async throws {
        struct Stop: Error {}
        try await TestDatabase.with { database in
            let connection = try await database.connect(user: TestDatabase.serviceUser)
            await #expect(throws: Stop.self) {
                try await connection.withTransaction(role: "adminexport_api") { connection in
                    try await connection.query(
                        Query("insert", "INSERT INTO adminexport.tenant_slot (tenant_key) VALUES ('x')"))
                    throw Stop()
                }
            }
            #expect(await connection.isUsable)
            #expect(try await database.text("SELECT count(*) FROM adminexport.tenant_slot") == "0")
            let role = try await connection.withTransaction(readOnly: true, role: "adminexport_worker") { connection in
                try await connection.query(Query("role", "SELECT current_user::text AS role")).first?.decode(
                    "role", as: String.self)
            }
            #expect(role == "adminexport_worker")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.withTransaction(readOnly: true, role: "adminexport_api") { connection in
                    try await connection.query(
                        Query("insert", "INSERT INTO adminexport.tenant_slot (tenant_key) VALUES ('x')"))
                }
            }
            #expect(error?.sqlState == "25006")
        }
    }

    @Test("Cancelling a task cancels its statement on the server, and the connection remains usable")
    func cancellation() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let task = Task { try await connection.query(Query("sleep", "SELECT pg_sleep(3600) IS NULL AS done")) }
            // Only sessions of this database, because other tests have sessions in the same cluster.
            let sleeping = """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'
                """
            while try await database.text(sleeping) != "1" {}
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await connection.query(Query("one", "SELECT 1 AS one")).first?.decode("one") == 1)
        }
    }

    @Test("A statement that exceeds its timeout is cancelled with a transient error")
    func statementTimeout() async throws {
        try await TestDatabase.with(migrated: false) { database in
            var options = ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser))
            options.statementTimeout = .seconds(1)
            let connection = try await PostgresConnection.connect(options)
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query(Query("sleep", "SELECT pg_sleep(3600)"))
            }
            #expect(error?.sqlState == SQLState.queryCanceled)
            #expect(error?.isTransient == true)
            #expect(await connection.isUsable)
        }
    }

    @Test(
        "COPY delivers buffers of whole rows that together contain all rows, for any buffer size",
        arguments: [1, 1_000, 10_000_000])
    func copy(_ bufferSize: Int) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let query = Query(
                "numbers",
                "COPY (SELECT i::int8, CASE WHEN i % 2 = 0 THEN 'row ' || i END FROM generate_series(1, 5000) i) TO STDOUT (FORMAT binary)"
            )
            let copy = try await connection.withCopy(query, bufferSize: bufferSize) { _, stream in
                let all = CopyBuffer()
                let buffer = CopyBuffer()
                var hasMore = true
                while hasMore {
                    hasMore = try await stream.next(into: buffer)
                    all.append(buffer.bytes.span)
                }
                return all
            }
            var rows = try CopyRows(copy, width: 2)
            var count = 0
            while try rows.next() {
                count += 1
                let (bytes, fields) = (rows.bytes, rows.fields)
                #expect(fields[0].range.flatMap { Int64(bigEndian: bytes[$0]) } == Int64(count))
                #expect(
                    fields[1].range.map { String(decoding: bytes[$0], as: UTF8.self) }
                        == (count % 2 == 0 ? "row \(count)" : nil))
            }
            #expect(count == 5_000)
            #expect(await connection.isUsable)
        }
    }

    @Test("A COPY that is abandoned or fails leaves a usable connection")
    func abandonedCopy() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            let endless = Query("endless", "COPY (SELECT generate_series(1, 100000000)) TO STDOUT (FORMAT binary)")
            let first = try await connection.withCopy(endless, bufferSize: 10) { _, stream in
                let buffer = CopyBuffer()
                return (try await stream.next(into: buffer), buffer.count)
            }
            #expect(first.0 && first.1 > 0)
            #expect(await connection.isUsable)
            let failing = Query(
                "failing", "COPY (SELECT 1 / (i - 3) FROM generate_series(1, 5) i) TO STDOUT (FORMAT binary)")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.withCopy(failing) { _, stream in
                    while try await stream.next(into: CopyBuffer()) {}
                }
            }
            #expect(error?.sqlState == "22012")
            #expect(await connection.isUsable)
        }
    }

    @Test(
        "Invalid configuration, an unreachable server and a lost connection cause different errors without the password")
    func faults() async throws {
        func fault(_ url: String) async -> PostgresError? {
            await #expect(throws: PostgresError.self) {
                _ = try await PostgresConnection.connect(ConnectionOptions(connectionString: url))
            }
        }
        #expect(await fault("postgresql://nonsense:port/?x=y")?.code == .invalidConnectionString)
        #expect(await fault("host=/nowhere user=x")?.code == .unreachable)
        let socket = TestDatabase.socketDirectory
        #expect(await fault("postgresql:///no_such_db?host=\(socket)&user=postgres")?.code == .refused)
        #expect(await fault("postgresql:///postgres?host=\(socket)&user=no_such_user")?.code == .refused)
        try await TestDatabase.with(migrated: false) { database in
            let user = "secret_\(database.name)"
            try await database.execute("CREATE ROLE \(user) LOGIN PASSWORD 'right' IN ROLE with_password")
            _ = try await PostgresConnection.connect(
                ConnectionOptions(connectionString: "host=\(socket) dbname=\(database.name) user=\(user) password=right"))
            let wrong = await fault("host=\(socket) dbname=\(database.name) user=\(user) password=wr0ng-s3cret")
            #expect(wrong?.code == .refused)
            #expect(wrong.map { "\($0)\($0.debugDescription)".contains("wr0ng-s3cret") } == false)
            try await database.execute("DROP ROLE \(user)")

            let connection = try await database.connect()
            let pid: Int? = try await connection.query(Query("pid", "SELECT pg_backend_pid() AS pid")).first?.decode("pid")
            try await database.execute("SELECT pg_terminate_backend(\(pid ?? 0))")
            let lost = await #expect(throws: PostgresError.self) {
                try await connection.query(Query("one", "SELECT 1"))
            }
            #expect(lost?.isTransient == true)
            #expect(await !connection.isUsable)
        }
    }

    @Test(
        "A password is found in any part of a connection string",
        arguments: [
            ("postgresql://u:p@h/d", true), ("postgresql://u@h/d?password=p", true), ("user=u password=p", true),
            ("postgresql://u@h/d", false), ("user=u", false),
        ])
    func passwords(_ text: String, _ expected: Bool) {
        #expect(ConnectionString.hasPassword(text) == expected)
    }
}

@Suite(.timeLimit(.minutes(10))) struct PostgresPoolTests {
    @Test("A pool never has more connections open than its size")
    func bound() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let pool = database.pool(size: 3, user: TestDatabase.superuser)
            let most = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await pool.withConnection { connection in
                            try await connection.query(
                                Query(
                                    "count",
                                    """
                                    SELECT count(*) AS open FROM pg_stat_activity
                                    WHERE datname = current_database() AND backend_type = 'client backend'
                                    """)
                            ).first?.decode("open") ?? 0
                        }
                    }
                }
                return try await group.reduce(0) { max($0, $1) }
            }
            #expect((1...3).contains(most))
        }
    }

    @Test("A request that gets no connection in time fails, and a waiting request can be cancelled")
    func acquisition() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let options = ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser))
            let pool = PostgresPool(options, size: 1, acquisitionTimeout: .milliseconds(100))
            try await pool.withConnection { _ in
                let error = await #expect(throws: PostgresError.self) { try await pool.withConnection { _ in } }
                #expect(error?.code == .poolExhausted && error?.isTransient == true)
            }
            let patient = PostgresPool(options, size: 1, acquisitionTimeout: .seconds(60))
            try await patient.withConnection { _ in
                let waiting = Task { try await patient.withConnection { _ in } }
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
            }
            try await patient.withConnection { _ in }
        }
    }

    @Test("A pool replaces a connection that was closed while it was idle")
    func idleDeath() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let pool = database.pool(size: 1, user: TestDatabase.superuser)
            let pid = try await pool.withConnection { connection in
                try await connection.query(Query("pid", "SELECT pg_backend_pid() AS pid")).first?.decode("pid", as: Int.self)
                    ?? 0
            }
            try await database.execute("SELECT pg_terminate_backend(\(pid), 5000)")
            let next = try await pool.withConnection { connection in
                try await connection.query(Query("pid", "SELECT pg_backend_pid() AS pid")).first?.decode("pid", as: Int.self)
                    ?? 0
            }
            #expect(next != pid && next != 0)
        }
    }
}
