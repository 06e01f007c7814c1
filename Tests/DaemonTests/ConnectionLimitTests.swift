import Client
import ExportAPI
import Foundation
import TestSupport
import Testing

/// The service with a login that may have few connections.
@Suite(.timeLimit(.minutes(4)), .serialized) struct ConnectionLimitTests {
    @Test("Exports are made and callers are answered with few connections, which is said once", arguments: [2, 3, 5])
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
                let said = service.log.components(separatedBy: "allows fewer connections").count - 1
                #expect(said == 1, "\(service.log)")
                service.process.terminate()
                await service.process.end()
                #expect(service.process.terminationStatus == 0)
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("check-config beside whatever uses up the login's connections says so")
    func usedUp() async throws {
        try await TestDatabase.with { database in
            let user = "one_\(database.name)"
            try await database.execute(
                "CREATE ROLE \(user) LOGIN CONNECTION LIMIT 1 IN ROLE adminexport_api, adminexport_worker")
            try await TemporaryFolder.with { folder in
                let environment = ["ADMINEXPORT_DATABASE_URL": database.url(user: user), "ADMINEXPORT_ARCHIVES": folder]
                let free = try await Programs.run("adminexportd", ["check-config"], environment: environment)
                #expect(free.status == 0, "\(free)")
                try await eventually("the server has forgotten it") {
                    try await database.text("SELECT count(*) FROM pg_stat_activity WHERE usename = '\(user)'") == "0"
                }
                let held = try await database.connect(user: user)
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
}
