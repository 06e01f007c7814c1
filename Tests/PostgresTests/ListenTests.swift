import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ListenTests {
    @Test("A notification is heard, several count as one, and without any the wait ends")
    func notification() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            #expect(try await !listener.notification(within: .milliseconds(10)))
            try await database.execute("NOTIFY bell; NOTIFY bell, 'again'; NOTIFY other")
            #expect(try await listener.notification(within: .seconds(30)))
            #expect(try await !listener.notification(within: .milliseconds(10)))
        }
    }

    @Test("A task that is cancelled stops waiting at once, and the connection goes on")
    func cancellation() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            let wait = Task { try await listener.notification(within: .seconds(3_600)) }
            wait.cancel()
            await #expect(throws: CancellationError.self) { try await wait.value }
            try await database.execute("NOTIFY bell")
            #expect(try await listener.notification(within: .seconds(30)))
        }
    }

    @Test("A listener whose session is ended finds out while it waits")
    func lost() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            async let wait = listener.notification(within: .seconds(30))
            try await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN bell'")
            var error: PostgresError?
            do { _ = try await wait } catch let found as PostgresError { error = found }
            #expect(error?.code == .connectionLost)
        }
    }

    @Test("What a transaction sets for itself is gone with it")
    func settings() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let connection = try await database.connect()
            func setting() async throws -> String? {
                try await connection.query(Query("s", "SELECT current_setting('statement_timeout') AS s")).first?.decode("s")
            }
            let inside: String? = try await connection.withTransaction { connection in
                try await connection.query(Query("s", "SELECT current_setting('statement_timeout') AS s")).first?.decode("s")
            }
            #expect(inside == "30s")
            #expect(try await setting() == "0")
        }
    }
}
