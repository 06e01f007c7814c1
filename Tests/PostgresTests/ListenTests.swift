import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ListenTests {
    @Test("Notifications end a wait and are received once; without any, the wait ends after its timeout")
    func notification() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            #expect(try await listener.notifications(within: .milliseconds(10)).isEmpty)
            try await database.execute("NOTIFY bell; NOTIFY bell, 'again'; NOTIFY other")
            #expect(try await !listener.notifications(within: .seconds(30)).isEmpty)
            #expect(try await listener.notifications(within: .milliseconds(10)).isEmpty)
        }
    }

    @Test("A cancelled task stops waiting, and the connection remains usable")
    func cancellation() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            let wait = Task { try await listener.notifications(within: .seconds(3_600)) }
            wait.cancel()
            await #expect(throws: CancellationError.self) { try await wait.value }
            try await database.execute("NOTIFY bell")
            #expect(try await !listener.notifications(within: .seconds(30)).isEmpty)
        }
    }

    @Test("A listener whose session ends gets an error while it waits")
    func lost() async throws {
        try await TestDatabase.with(migrated: false) { database in
            let listener = try await database.connect()
            try await listener.listen("bell")
            async let wait = listener.notifications(within: .seconds(30))
            // Only sessions of this database, because a parallel test listens to the same channel.
            try await database.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query = 'LISTEN bell'
                """)
            var error: PostgresError?
            do { _ = try await wait } catch let found as PostgresError { error = found }
            #expect(error?.code == .connectionLost)
        }
    }
}
