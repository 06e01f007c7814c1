import AdminExportAPI
import AdminExportClient
@testable import Daemon
import Foundation
import Testing
import TestSupport

/// A directory in its own database. The jobs' database does not even contain the schema of the directory.
@Suite(.timeLimit(.minutes(10))) struct OwnDirectoryTests {
    /// - Parameter callers: YAML; nil for the default, which grants everything to the user of the tests.
    private static func with(
        callers: String? = nil, isAway: Bool = false, _ body: (ServiceProcess, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.with { directory in
            try await directory.execute("DROP SCHEMA adminexport CASCADE; \(SmallTenant.sql)")
            if isAway { try await leave(directory) }
            try await TemporaryFolder.with { folder in
                var environment = ["ADMINEXPORT_DIRECTORY_URL": directory.url()]
                if let callers {
                    let file = folder + "/config.yaml"
                    try callers.write(toFile: file, atomically: true, encoding: .utf8)
                    environment["ADMINEXPORT_CONFIG"] = file
                }
                try await ServiceProcess.with(environment: environment, sql: "DROP SCHEMA directory CASCADE") { service in
                    try await body(service, directory)
                }
            }
        }
    }

    /// Makes the directory unavailable, like a server that is down.
    private static func leave(_ directory: TestDatabase) async throws {
        try await server(
            directory,
            """
            ALTER DATABASE \(directory.name) ALLOW_CONNECTIONS false;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(directory.name)'
            """)
    }

    private static func comeBack(_ directory: TestDatabase) async throws {
        try await server(directory, "ALTER DATABASE \(directory.name) ALLOW_CONNECTIONS true")
    }

    private static func server(_ directory: TestDatabase, _ sql: String) async throws {
        let done = try await Programs.run(
            TestDatabase.environment("PG_BIN") + "/psql",
            [
                "-h", TestDatabase.socketDirectory, "-U", TestDatabase.superuser, "-d", "postgres", "-v", "ON_ERROR_STOP=1",
                "-c", sql,
            ])
        try #require(done.status == 0, "\(done.errors)")
    }

    private static func health(_ service: ServiceProcess) async throws -> ServiceHealth.Result {
        try await service.client().call(ServiceHealth.self, NoMembers())
    }

    @Test("Exports work with a directory in another database, and a withdrawn permission is denied at each step")
    func exports() async throws {
        try await Self.with { service, directory in
            let client = try service.client()
            let job = try await service.export()
            #expect(job.state == .succeeded && job.rows == 6, "\(job)")
            let read = ExportRead.Params(actor: ServiceProcess.owner, job: job.id, offset: 0, length: 4)
            #expect(try await client.call(ExportRead.self, read).size == job.size)
            #expect(try await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: job.id)).job.id == job.id)
            #expect(try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.map(\.id) == [job.id])
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [job.id])
            let foreign = await failure {
                _ = try await client.call(ExportGet.self, .init(actor: ServiceProcess.europe, job: job.id))
            }
            #expect(foreign?.code == .service(code: 1002, kind: "not-found"))
            for (email, sentence) in [
                ("gone@acme.example", "disabled"), ("nobody@acme.example", "no permission"),
                ("none@acme.example", "no such"),
            ] {
                let denied = await failure {
                    _ = try await client.call(
                        ExportStart.self, .init(actor: ActorName(tenant: "acme", administrator: email)))
                }
                #expect(denied?.code == .service(code: 1001, kind: "permission-denied"))
                #expect(denied?.message.contains(sentence) == true, "\(denied?.message ?? "")")
            }
            // The permission is withdrawn between the start and the processing, and before a download.
            _ = try await service.run(["pause"])
            let second = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
            try await directory.execute("UPDATE directory.profile SET permissions = '{}' WHERE id = 1")
            _ = try await service.run(["resume"])
            let failed = try await client.finish(ServiceProcess.owner, job: second.id)
            #expect(failed.state == .failed && failed.error?.kind == "permission-denied")
            let late = await failure { _ = try await client.call(ExportRead.self, read) }
            #expect(late?.code == .service(code: 1001, kind: "permission-denied"))
            #expect(try await Self.health(service).directory == "ok")
        }
    }

    @Test("export.start and export.list report an actor who occurs twice as a fault of the directory; export.get answers")
    func doubled() async throws {
        try await Self.with { service, directory in
            let client = try service.client()
            let job = try await service.export()
            try await directory.execute(
                """
                ALTER TABLE directory.administrator RENAME TO account;
                CREATE VIEW directory.administrator AS
                    SELECT * FROM directory.account UNION ALL SELECT * FROM directory.account WHERE id = 1;
                GRANT SELECT ON directory.administrator TO adminexport_api, adminexport_worker
                """)
            let owner = ServiceProcess.owner
            let errors = [
                await failure { _ = try await client.call(ExportStart.self, .init(actor: owner)) },
                await failure { _ = try await client.call(ExportList.self, .init(actor: owner)) },
            ]
            for error in errors {
                #expect(error?.code == .service(code: 1007, kind: "unavailable"), "\(String(describing: error))")
            }
            #expect(try await client.call(ExportGet.self, .init(actor: owner, job: job.id)).job.id == job.id)
        }
    }

    @Test("A connection limit of the directory's login does not close connections to the jobs' database")
    func connectionLimit() async throws {
        try await TestDatabase.with { directory in
            let user = "few_\(directory.name)"
            try await directory.execute(
                """
                DROP SCHEMA adminexport CASCADE; \(SmallTenant.sql);
                CREATE ROLE \(user) LOGIN CONNECTION LIMIT 1 IN ROLE adminexport_api, adminexport_worker
                """)
            let environment = ["ADMINEXPORT_DIRECTORY_URL": directory.url(user: user)]
            try await ServiceProcess.with(environment: environment, sql: "DROP SCHEMA directory CASCADE") { service in
                let jobs = """
                    FROM pg_stat_activity
                    WHERE datname = '\(service.database.name)' AND application_name LIKE 'adminexportd %'
                    """
                let client = try service.client()
                for _ in 0..<3 {
                    let job = try await service.export()
                    #expect(job.state == .succeeded, "\(job)")
                }
                #expect(try await client.call(ServiceHealth.self, NoMembers()).status == .ok)
                try await eventually("the limit of the directory is logged") {
                    service.count(of: DaemonEvent.connectionsLimited) > 0 && service.log.contains("database=directory")
                }
                #expect(!service.log.contains("database=jobs"))
                let before = try await service.database.text("SELECT string_agg(pid::text, ' ' ORDER BY pid) \(jobs)")
                for _ in 0..<3 { _ = try await service.export() }
                let after = try await service.database.text("SELECT string_agg(pid::text, ' ' ORDER BY pid) \(jobs)")
                let kept = Set((before ?? "").split(separator: " ")).subtracting((after ?? "").split(separator: " "))
                #expect(kept.isEmpty, "connections were closed because of the directory: \(kept)")
            }
            try await directory.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '\(user)'")
            try await directory.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("An unavailable directory is reported as such, and fails only requests that need it")
    func away() async throws {
        try await Self.with { service, directory in
            let job = try await service.export()
            try await Self.leave(directory)
            let client = try service.client()
            let calls: [(name: String, call: () async throws -> Void)] = [
                ("start", { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }),
                ("get", { _ = try await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: job.id)) }),
                ("list", { _ = try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)) }),
                ("open", { _ = try await client.call(ExportOpen.self, .init(actor: ServiceProcess.owner, job: job.id)) }),
                (
                    "delete",
                    { _ = try await client.call(ExportDelete.self, .init(actor: ServiceProcess.owner, job: job.id)) }
                ),
            ]
            for (name, call) in calls {
                let error = await failure(call)
                #expect(error?.code == .service(code: 1007, kind: "unavailable"), "\(name)")
                #expect(error?.isRetryable == true && error?.message.contains("directory") == true, "\(name)")
            }
            let raw = try await service.run(
                ["call", "export.list", #"{"actor": {"tenant": "acme", "administrator": "owner@acme.example"}}"#, "--json"])
            #expect((raw.output + raw.errors).contains("directory"), "\(raw)")
            // An operator of all tenants needs no directory.
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [job.id])
            #expect(try await client.call(ExportList.self, .init(actor: nil, tenant: "acme")).jobs.map(\.id) == [job.id])
            #expect(try await client.call(AuditList.self, .init(tenant: "acme")).events.count == 3)
            #expect(try await client.call(ServiceHold.self, .init(job: job.id, on: true)).held)
            try await eventually("health names the directory") {
                let health = try await Self.health(service)
                return health.status == .degraded && health.database == "ok"
                    && health.directory?.contains("directory") == true
            }
            try await Self.comeBack(directory)
            try await eventually("health is ok") { try await Self.health(service).status == .ok }
            #expect(try await service.export().state == .succeeded)
        }
    }

    @Test("While the directory is unavailable, operators of a slug get an error, and operators of a key are served")
    func awayForOperators() async throws {
        for (tenants, isServed) in [("[acme]", false), ("[{key: 1}]", true), ("[{key: 1}, acme]", false)] {
            let callers = "callers:\n- {user: \"\(geteuid())\", tenants: \(tenants), grants: [export, operator]}\n"
            try await Self.with(callers: callers) { service, directory in
                let job = try await service.export()
                let client = try service.client()
                try await Self.leave(directory)
                let list = await failure { _ = try await client.call(ExportList.self, .init(actor: nil)) }
                let trail = await failure { _ = try await client.call(AuditList.self, .init()) }
                let hold = await failure { _ = try await client.call(ServiceHold.self, .init(job: job.id, on: true)) }
                for error in [list, trail, hold] {
                    #expect(error?.code == (isServed ? nil : .service(code: 1007, kind: "unavailable")), "\(tenants)")
                }
                let named = await failure { _ = try await client.call(AuditList.self, .init(tenant: "acme")) }
                #expect(named?.code == .service(code: 1007, kind: "unavailable"))
            }
        }
    }

    @Test("A service that starts without its directory serves operators, and serves all callers when the directory appears")
    func awayAtTheStart() async throws {
        try await Self.with(isAway: true) { service, directory in
            let client = try service.client()
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.isEmpty)
            let health = try await Self.health(service)
            #expect(health.status == .degraded && health.database == "ok" && health.directory != "ok")
            let start = await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }
            #expect(start?.code == .service(code: 1007, kind: "unavailable") && start?.message.contains("directory") == true)
            try await Self.comeBack(directory)
            try await eventually("the directory is found") { try await Self.health(service).directory == "ok" }
            #expect(try await service.export().state == .succeeded)
        }
    }

    /// The manual steps for a directory on another server.
    @Test("migrate prepares both databases, and check-config checks both")
    func migrate() async throws {
        try await TestDatabase.with(migrated: false) { jobs in
            try await TestDatabase.with(migrated: false) { directory in
                try await TemporaryFolder.with { folder in
                    func daemon(_ arguments: [String], user: String) async throws -> Finished {
                        try await Programs.run(
                            "adminexportd", arguments,
                            environment: [
                                "ADMINEXPORT_DATABASE_URL": jobs.url(user: user),
                                "ADMINEXPORT_DIRECTORY_URL": directory.url(user: user),
                            ])
                    }
                    let owner = TestDatabase.superuser
                    let migrated = try await daemon(["migrate", "--with-directory"], user: owner)
                    #expect(
                        migrated.status == 0 && migrated.output.contains("Created the directory's tables"), "\(migrated)")
                    #expect(try await jobs.text("SELECT to_regnamespace('directory') IS NULL") == "true")
                    #expect(try await directory.text("SELECT to_regnamespace('adminexport') IS NULL") == "true")
                    let demo = try await daemon(["demo-data", "--tenant", "acme", "--administrators", "3"], user: owner)
                    #expect(demo.status == 0, "\(demo)")
                    let check = ["check-config", "--archives", folder]
                    let checked = try await daemon(check, user: TestDatabase.serviceUser)
                    #expect(checked.status == 0 && checked.output.contains("serve and work"), "\(checked)")
                    // The login can no longer connect to the directory's database.
                    try await directory.execute("REVOKE CONNECT ON DATABASE \(directory.name) FROM PUBLIC")
                    let refused = try await daemon(check, user: TestDatabase.serviceUser)
                    #expect(refused.status == 78 && refused.errors.contains("directory's database"), "\(refused)")
                }
            }
        }
    }
}
