import Synchronization
import TestSupport
import Testing

@testable import Postgres

/// Pools whose login has a connection limit below their sizes.
@Suite(.timeLimit(.minutes(10))) struct ConnectionLimitTests {
    private func with(
        limit: Int, _ body: @Sendable (TestDatabase, _ user: String) async throws -> Void
    ) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let user = "few_\(database.name)"
            try await database.execute("CREATE ROLE \(user) LOGIN CONNECTION LIMIT \(limit)")
            try await body(database, user)
            try await database.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '\(user)'")
            try await database.execute("DROP ROLE \(user)")
        }
    }

    private func pool(
        _ database: TestDatabase, _ user: String, size: Int, timeout: Duration = .seconds(60), share: ConnectionShare? = nil
    ) -> PostgresPool {
        PostgresPool(
            ConnectionOptions(connectionString: database.url(user: user)), size: size, acquisitionTimeout: timeout,
            share: share)
    }

    private static let pause = Query("pause", "SELECT pg_sleep(0.01) IS NULL AS done")

    @Test("Requests wait for the available connections, and none fails", arguments: [1, 2, 3])
    func one(_ limit: Int) async throws {
        try await with(limit: limit) { database, user in
            let pool = pool(database, user, size: 8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 { group.addTask { _ = try await pool.withConnection { try await $0.query(Self.pause) } } }
                for _ in 0..<40 { group.addTask { _ = try await pool.withTransaction { try await $0.query(Self.pause) } } }
                try await group.waitForAll()
            }
            #expect(pool.openCount <= limit && pool.figures.isAnswering)
            // The pool makes a few attempts with growing delays, not one for each request.
            #expect(pool.figures.failed < 20, "\(pool.figures)")
        }
    }

    @Test("Pools of one login share its connections, and each pool makes progress", arguments: [1, 2, 3])
    func several(_ limit: Int) async throws {
        try await with(limit: limit) { database, user in
            let told = Mutex(0)
            let share = ConnectionShare { error in
                #expect(error.sqlState == SQLState.tooManyConnections)
                told.withLock { $0 += 1 }
            }
            let pools = [8, 4, 2].map { pool(database, user, size: $0, share: share) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for pool in pools {
                    for _ in 0..<6 {
                        group.addTask {
                            for _ in 0..<5 { _ = try await pool.withConnection { try await $0.query(Self.pause) } }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(pools.reduce(0) { $0 + $1.openCount } <= limit)
            #expect(told.withLock { $0 } == 1)
        }
    }

    @Test("A pool that holds its connection for a long time does not keep other pools from getting one")
    func held() async throws {
        try await with(limit: 2) { database, user in
            let share = ConnectionShare()
            let (exports, queue, callers) = (
                pool(database, user, size: 2, share: share), pool(database, user, size: 4, share: share),
                pool(database, user, size: 8, share: share)
            )
            _ = try await queue.withConnection { try await $0.query(Self.pause) }
            try await exports.withConnection { _ in
                #expect(try await exports.withSpareConnection { _ in true } == nil)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for pool in [queue, callers] {
                        for _ in 0..<4 {
                            group.addTask {
                                for _ in 0..<10 { _ = try await pool.withTransaction { try await $0.query(Self.pause) } }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("A waiting request gets a connection even if the request whose connection was refused is cancelled")
    func goneAway() async throws {
        try await with(limit: 1) { database, user in
            let other = pool(database, user, size: 1)
            for _ in 0..<10 {
                let mine = pool(database, user, size: 1)
                let waiting = try await other.withConnection { _ in
                    let first = Task { try await mine.withConnection { _ in } }
                    while mine.openCount == 0 && mine.figures.failed == 0 { await Task.yield() }
                    let waiting = (0..<2).map { _ in Task { try await mine.withConnection { _ in } } }
                    while mine.figures.failed == 0 { await Task.yield() }
                    first.cancel()
                    _ = await first.result
                    return waiting
                }
                _ = other.closeIdle()
                for task in waiting { try await task.value }
                mine.close()
            }
        }
    }

    @Test("A request that gets no connection fails in time with the reason, and a raised limit is used at once")
    func raised() async throws {
        try await with(limit: 1) { database, user in
            let other = pool(database, user, size: 1)
            let mine = pool(database, user, size: 4, timeout: .milliseconds(300))
            try await other.withConnection { _ in
                let error = await #expect(throws: PostgresError.self) { try await mine.withConnection { _ in } }
                #expect(error?.sqlState == SQLState.tooManyConnections && error?.isTransient == true)
                #expect(!mine.figures.isAnswering && mine.openCount == 0)
                try await database.execute("ALTER ROLE \(user) CONNECTION LIMIT 3")
                let patient = pool(database, user, size: 2)
                try await patient.withConnection { _ in
                    try await patient.withConnection { _ in #expect(patient.openCount == 2) }
                }
            }
        }
    }

    @Test("A process that stops does not wait for connections that the server refuses, and uses available ones")
    func stopping() async throws {
        try await with(limit: 1) { database, user in
            let share = ConnectionShare()
            let (mine, trail) = (
                pool(database, user, size: 4, timeout: .seconds(3_600), share: share),
                pool(database, user, size: 1, timeout: .seconds(3_600), share: share)
            )
            let other = pool(database, user, size: 1)
            let held = try await other.withConnection { connection in
                let held: Int? = try await connection.query(Query("pid", "SELECT pg_backend_pid() AS pid")).first?.decode(
                    "pid")
                try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                    for pool in [mine, mine, mine, mine, mine, mine, trail] {
                        group.addTask {
                            await #expect(throws: PostgresError.self) { try await pool.withTransaction { _ in } }
                        }
                    }
                    // A waiting request tries again only after a refusal.
                    while mine.figures.failed < 2 || trail.figures.failed < 2 { await Task.yield() }
                    share.stopWaiting()
                    for try await error in group { #expect(error?.sqlState == SQLState.tooManyConnections) }
                }
                for pool in [mine, trail] {
                    let error = await #expect(throws: PostgresError.self) { try await pool.withConnection { _ in } }
                    #expect(error?.sqlState == SQLState.tooManyConnections && pool.openCount == 0)
                }
                return held
            }
            other.close()
            // A session leaves pg_stat_activity before the server ceases to count it; this waits for the end of its process.
            try await database.execute("SELECT pg_terminate_backend(\(try #require(held)), 60000)")
            // An idle connection of one pool makes room for the other pool.
            for pool in [mine, trail, mine] { _ = try await pool.withTransaction { try await $0.query(Self.pause) } }
        }
    }
}
