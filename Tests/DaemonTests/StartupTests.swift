import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(10))) struct StartupTests {
    /// Runs `adminexportd` to its end and returns its status, its errors and its duration.
    private func daemon(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, errors: String, seconds: Double) {
        let start = ContinuousClock.now
        let finished = try await Programs.run("adminexportd", arguments, environment: environment)
        return (finished.status, finished.errors, start.duration(to: .now) / .seconds(1))
    }

    @Test("A fault that a person must repair ends the process within 15 seconds with status 78 and a sentence")
    func faults() async throws {
        try await TestDatabase.with { database in
            try await TemporaryFolder.with { folder in
                let socket = TestDatabase.socketDirectory
                let user = "login_\(database.name)"
                try await database.execute("CREATE ROLE \(user) LOGIN PASSWORD 'right' IN ROLE with_password")
                let ok = ["ADMINEXPORT_DATABASE_URL": database.url(), "ADMINEXPORT_ARCHIVES": folder]
                func with(_ changes: [String: String]) -> [String: String] { ok.merging(changes) { $1 } }
                func url(_ text: String) -> [String: String] { with(["ADMINEXPORT_DATABASE_URL": text]) }
                try "workers: 1\nwrokers: 1\n".write(toFile: folder + "/unknown.yaml", atomically: true, encoding: .utf8)
                try "x".write(toFile: folder + "/file", atomically: true, encoding: .utf8)
                let serve = ["serve", "--socket", folder + "/s"]
                let cases: [([String], [String: String], String)] = [
                    (serve, [:], "no database is configured"),
                    (
                        serve, url("host=\(socket) dbname=\(database.name) user=\(user) password=wr0ng"),
                        "password authentication failed"
                    ),
                    (
                        serve, url("host=\(socket) dbname=\(database.name) user=\(user) password=right"),
                        "GRANT adminexport_api"
                    ),
                    (serve, url(TestDatabase.url(database: "none", user: "postgres")), "database \"none\" does not exist"),
                    (serve, url(TestDatabase.url(database: "postgres", user: "postgres")), "adminexportd migrate"),
                    (
                        ["check-config"], url(TestDatabase.url(database: "postgres", user: "postgres")),
                        "adminexportd migrate"
                    ),
                    (serve + ["--config", folder + "/none.yaml"], ok, "cannot be read"),
                    (serve + ["--config", folder + "/unknown.yaml"], ok, "line 2: unknown key \"wrokers\""),
                    (serve, with(["ADMINEXPORT_NONSENSE": "1"]), "ADMINEXPORT_NONSENSE"),
                    (serve, with(["ADMINEXPORT_ARCHIVES": folder + "/none"]), "create it"),
                    (["serve", "--socket", folder + "/" + String(repeating: "x", count: 100)], ok, "choose a shorter one"),
                    (["serve", "--socket", folder + "/none/s"], ok, "cannot be written"),
                    (["serve", "--socket", folder + "/file"], ok, "is not a socket"),
                    (serve + ["--database-url", "postgresql://u:p@h/d"], ok, "ps"),
                    (serve + ["--workers", "many"], ok, "workers is \"many\""),
                ]
                for (arguments, environment, expected) in cases {
                    let result = try await daemon(arguments, environment: environment)
                    #expect(result.status == 78 && result.errors.contains(expected), "\(arguments) \(result)")
                    #expect(result.seconds < 15 && !result.errors.contains("wr0ng"))
                    #expect(result.errors.split(separator: "\n").count <= 2, "\(result.errors)")
                }
                try await database.execute("DROP ROLE \(user)")
            }
        }
    }

    @Test("An unavailable database ends the commands that need it, but not the service")
    func unreachable() async throws {
        try await TemporaryFolder.with { folder in
            let environment = ["ADMINEXPORT_DATABASE_URL": "host=\(folder) user=x", "ADMINEXPORT_ARCHIVES": folder]
            for command in [["migrate"], ["check-config"], ["demo-data", "--tenant", "t", "--administrators", "3"]] {
                let result = try await daemon(command, environment: environment)
                #expect(result.status == 69 && result.seconds < 15, "\(command) \(result)")
            }
            try await TestDatabase.with { database in
                try await database.execute(SmallTenant.sql)
                // A socket folder that appears later simulates a database that appears later.
                let late = folder + "/late"
                let service = try ServiceProcess.start(
                    database, folder,
                    environment: [
                        "ADMINEXPORT_DATABASE_URL":
                            "postgresql:///\(database.name)?host=\(late)&user=\(TestDatabase.serviceUser)"
                    ])
                defer { service.process.terminate() }
                try await service.waitUntilServing()
                let client = try service.client()
                let error = await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }
                #expect(error?.code == .service(code: 1007, kind: "unavailable") && error?.isRetryable == true)
                #expect(try await client.call(ServiceHealth.self, NoMembers()).status == .unavailable)
                let run = try await service.run(["run", "-q"])
                #expect(run.status == 75)
                try FileManager.default.createSymbolicLink(atPath: late, withDestinationPath: TestDatabase.socketDirectory)
                try await eventually("the service finds the database") {
                    try await client.call(ServiceHealth.self, NoMembers()).status == .ok
                }
                #expect(try await service.export().state == .succeeded)
            }
        }
    }

    @Test("A service does not take over a socket that another service uses, and that service continues")
    func socketInUse() async throws {
        try await ServiceProcess.with { service in
            let second = try await daemon(
                ["serve", "--socket", service.socket],
                environment: ["ADMINEXPORT_DATABASE_URL": service.database.url(), "ADMINEXPORT_ARCHIVES": service.archives])
            #expect(second.status == 78 && second.errors.contains("another process serves this socket"))
            #expect(try await service.client().call(ServiceInfo.self, NoMembers()).name == "adminexport")
        }
    }

    @Test("The service neither reads nor writes archives in the directory of another installation")
    func foreignArchives() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            try "another\n".write(toFile: service.archives + "/.store-id", atomically: true, encoding: .utf8)
            let client = try service.client()
            let read = await failure {
                _ = try await client.call(
                    ExportRead.self, .init(actor: ServiceProcess.owner, job: job.id, offset: 0, length: 1))
            }
            #expect(read?.kind == "unavailable")
            let health = try await client.call(ServiceHealth.self, NoMembers())
            #expect(health.status == .degraded && health.storage != "ok")
            let next = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
            // A worker that has just checked the archives may claim the export. It checks again and returns the export.
            try await eventually("the export waits") {
                try await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: next.id)).job.state == .queued
            }
            let files = FileManager.default.enumerator(atPath: service.archives)?.compactMap { $0 as? String } ?? []
            #expect(!files.contains { $0.contains(next.id) })
        }
    }

    @Test("A log whose reader is gone does not stop the service")
    func brokenLog() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await TemporaryFolder.with { folder in
                let pipe = Pipe()
                let process = try Programs.make(
                    "adminexportd", ["serve", "--socket", folder + "/s", "--archives", folder, "--log-level", "trace"],
                    environment: ["ADMINEXPORT_DATABASE_URL": database.url()])
                process.standardError = pipe
                try pipe.fileHandleForReading.close()
                try process.run()
                defer { process.terminate() }
                let service = ServiceProcess(database: database, folder: folder, process: process)
                try await service.waitUntilServing()
                #expect(try await service.export().state == .succeeded)
                #expect(process.isRunning)
            }
        }
    }
}
