import AdminExportAPI
import AdminExportClient
@testable import Daemon
import Foundation
import Postgres
import Testing
import TestSupport

/// The service with a login whose connection limit is low.
@Suite(.timeLimit(.minutes(10)), .serialized) struct ConnectionLimitTests {
    @Test(
        "With few connections, exports succeed, callers are answered, and the service logs the limit once",
        arguments: [2, 3, 5])
    func few(_ limit: Int) async throws {
        try await TestDatabase.with { database in
            let user = "few_\(database.name)"
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                "CREATE ROLE \(user) LOGIN CONNECTION LIMIT \(limit) IN ROLE adminexport_api, adminexport_worker")
            let url = database.url(user: user)
            try await TemporaryFolder.with { folder in
                let service = try ServiceProcess.start(database, folder, environment: ["ADMINEXPORT_DATABASE_URL": url])
                try await service.waitUntilServing()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            for _ in 0..<3 {
                                let job = try await service.export()
                                #expect(job.state == .succeeded && job.rows == 6, "\(job)")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let attempts = try await database.text("SELECT max(attempt) FROM adminexport.job")
                #expect(attempts == "1")
                #expect(try await service.client().call(ServiceHealth.self, NoMembers()).status == .ok)
                #expect(service.count(of: DaemonEvent.connectionsLimited) == 1, "\(service.log)")
                service.process.terminate()
                await service.process.end()
                #expect(service.process.terminationStatus == 0)
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("check-config reports that other sessions use the login's connections")
    func usedUp() async throws {
        try await TestDatabase.with { database in
            let user = "one_\(database.name)"
            try await database.execute(
                "CREATE ROLE \(user) LOGIN CONNECTION LIMIT 1 IN ROLE adminexport_api, adminexport_worker")
            try await TemporaryFolder.with { folder in
                let environment = ["ADMINEXPORT_DATABASE_URL": database.url(user: user), "ADMINEXPORT_ARCHIVES": folder]
                let free = try await Programs.run("adminexportd", ["check-config"], environment: environment)
                #expect(free.status == 0, "\(free)")
                var held: PostgresConnection?
                try await eventually("the server no longer counts the session of check-config") {
                    held = try? await database.connect(user: user)
                    return held != nil
                }
                let check = try await Programs.run("adminexportd", ["check-config"], environment: environment)
                #expect(check.status == 69 && check.errors.contains("CONNECTION LIMIT"), "\(check)")
                #expect(!check.errors.contains("cannot be reached"))
                withExtendedLifetime(held) {}
            }
            try await database.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '\(user)'")
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    /// Stops the service as the service manager does.
    private func stop(_ service: ServiceProcess) async {
        service.process.terminate()
        await service.process.end()
        #expect(service.process.terminationStatus == 0, "\(service.log)")
        #expect(service.count(of: DaemonEvent.stopOverdue) == 0)
    }

    @Test("A service whose login gets no connection stops on request without an error", arguments: [0, 1])
    func stopWithout(_ workers: Int) async throws {
        try await TestDatabase.with { database in
            let user = "none_\(database.name)"
            try await database.execute(
                "CREATE ROLE \(user) LOGIN CONNECTION LIMIT 0 IN ROLE adminexport_api, adminexport_worker")
            try await TemporaryFolder.with { folder in
                let service = try ServiceProcess.start(
                    database, folder,
                    environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: user), "ADMINEXPORT_WORKERS": "\(workers)"])
                try await service.waitUntilServing()
                await stop(service)
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("A service that has lost its connections to a lowered limit stops on request without an error")
    func stopAfterLoss() async throws {
        try await TestDatabase.with { database in
            let user = "lost_\(database.name)"
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                "CREATE ROLE \(user) LOGIN IN ROLE adminexport_api, adminexport_worker")
            try await TemporaryFolder.with { folder in
                let service = try ServiceProcess.start(
                    database, folder, environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: user)])
                try await service.waitUntilServing()
                #expect(try await service.export().state == .succeeded)
                // Commits the limit first, because the pool replaces a lost connection at once.
                try await database.execute("ALTER ROLE \(user) CONNECTION LIMIT 0")
                try await database.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '\(user)'")
                try await eventually("a connection has been refused") {
                    service.count(of: DaemonEvent.connectionsLimited) > 0
                }
                await stop(service)
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("check-config reports that it has lost its only connection between two statements, and ends within 40 seconds")
    func lost() async throws {
        try await TestDatabase.with { database in
            let user = "lost_\(database.name)"
            try await database.execute(
                "CREATE ROLE \(user) LOGIN CONNECTION LIMIT 1 IN ROLE adminexport_api, adminexport_worker")
            try await TemporaryFolder.with { folder in
                let environment = ["ADMINEXPORT_DATABASE_URL": database.url(user: user), "ADMINEXPORT_ARCHIVES": folder]
                let holder = try await database.connect()
                try await holder.script("lock", "BEGIN; LOCK TABLE adminexport.schema_migration IN ACCESS EXCLUSIVE MODE")
                async let checked = Programs.run("adminexportd", ["check-config"], environment: environment)
                try await eventually("its first connection waits") {
                    try await database.text(
                        "SELECT count(*) FROM pg_stat_activity WHERE usename = '\(user)' AND wait_event_type = 'Lock'")
                        == "1"
                }
                try await database.execute("ALTER ROLE \(user) CONNECTION LIMIT 0")
                try await holder.script("unlock", "COMMIT")
                let start = ContinuousClock.now
                let check = try await checked
                #expect(check.status == 69 && check.errors.contains("CONNECTION LIMIT"), "\(check)")
                // An export would wait for a minute.
                #expect(start.duration(to: .now) < .seconds(40), "\(check)")
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }
}
