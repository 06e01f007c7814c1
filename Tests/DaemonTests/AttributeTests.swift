import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// Further columns, from the configuration to the workbook and to the download.
@Suite(.timeLimit(.minutes(10)), .serialized) struct AttributeTests {
    private static let sql = """
        \(SmallTenant.sql);
        ALTER TABLE directory.administrator ADD job_title text, ADD last_sign_in timestamptz, ADD mfa_enabled boolean, ADD "team Roles" text[],
            ADD hired date, ADD undeclared text;
        UPDATE directory.profile SET permissions = permissions || '{security.view}' WHERE id = 1;
        UPDATE directory.administrator SET job_title = '=1+1', last_sign_in = '2026-07-01 22:30:15.7Z', mfa_enabled = true,
            "team Roles" = '{lead,"a, b"}', hired = '2020-02-29' WHERE id = 1;
        UPDATE directory.administrator SET last_sign_in = '1899-12-31 23:00Z', mfa_enabled = false, hired = 'infinity' WHERE id = 2
        """

    private static let declared = """
        attributes:
        - {column: job_title, title: Job title, type: text}
        - {column: last_sign_in, title: Last sign-in, type: datetime, permission: security.view}
        - {column: mfa_enabled, title: MFA, type: boolean, permission: security.view}
        - {column: team Roles, title: Roles, type: list, permission: roles.view}
        - {column: hired, title: Hired, type: date}

        """

    private static let further = ["Job title", "Last sign-in", "MFA", "Roles", "Hired"]

    /// Prints the first sheet as JSON: rows of texts, with the type of each further cell.
    private static let cells = """
        import json, sys
        import openpyxl
        sheet = openpyxl.load_workbook(sys.argv[1])["Administrators"]
        text = lambda cell: "-" if cell.value is None else f"{type(cell.value).__name__} {cell.value} {cell.number_format}"
        print(json.dumps([[str(cell.value) for cell in sheet[1]]] + [[text(cell) for cell in row[10:]] for row in sheet.iter_rows(min_row=2)]))
        """

    /// Runs the body with a service that has these attributes and whose roles have the privileges for them.
    private func serve(
        _ declared: String = declared, environment: [String: String] = [:],
        _ body: (ServiceProcess) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            let rules = "callers:\n- {user: \(NSUserName()), tenants: \"*\", grants: [export]}\n"
            try (declared + rules).write(toFile: file, atomically: true, encoding: .utf8)
            try await ServiceProcess.with(
                environment: ["ADMINEXPORT_CONFIG": file].merging(environment) { $1 }, sql: Self.sql + ";" + Self.grant,
                body)
        }
    }

    private static let grant =
        "GRANT SELECT (job_title, last_sign_in, mfa_enabled, \"team Roles\", hired) ON directory.administrator TO adminexport_worker"

    private func cells(_ service: ServiceProcess, as actor: ActorName) async throws -> [[String]] {
        let run = try await service.run(["run", "-q", "--force", "-o", "out.xlsx"], as: actor)
        try #require(run.status == 0, "\(run.errors)")
        let read = try await Programs.run(
            TestDatabase.environment("TEST_PYTHON"), ["-c", Self.cells, service.folder + "/out.xlsx"])
        try #require(read.status == 0, "\(read.errors)")
        return try JSONDecoder().decode([[String]].self, from: Data(read.output.utf8))
    }

    @Test("Each actor gets the ten columns and those that the profile permits, in the workbook and in the job")
    func columns() async throws {
        try await serve { service in
            let client = try service.client()
            func columns(_ actor: ActorName) async throws -> [String]? {
                try await client.call(ExportList.self, .init(actor: actor, limit: 1)).jobs.first?.columns
            }
            let owner = try await cells(service, as: ServiceProcess.owner)
            #expect(owner[0].count == 14 && Array(owner[0][10...]) == ["Job title", "Last sign-in", "MFA", "Hired"])
            #expect(try await columns(ServiceProcess.owner) == owner[0])
            #expect(
                owner[1] == [
                    "str =1+1 @", #"datetime 2026-07-02 00:30:15 yyyy\-mm\-dd\ hh:mm:ss"#, "bool True General",
                    #"datetime 2020-02-29 00:00:00 yyyy\-mm\-dd"#,
                ])
            #expect(owner[2] == ["-", "str 1899-12-31 23:09:21 @", "bool False General", "str infinity @"])
            #expect(owner[3] == ["-", "-", "-", "-"])
            let europe = try await cells(service, as: ServiceProcess.europe)
            #expect(Array(europe[0][10...]) == ["Job title", "Hired"])
            #expect(try await columns(ServiceProcess.europe) == europe[0])
            // Another permission gives another column.
            try await service.database.execute(
                "UPDATE directory.profile SET permissions = permissions || '{roles.view}' WHERE id = 2")
            let more = try await cells(service, as: ServiceProcess.europe)
            #expect(Array(more[0][10...]) == ["Job title", "Roles", "Hired"] && more[1][1] == "str lead, \"a, b\" @")
            let info = try await client.call(ServiceInfo.self, NoMembers())
            #expect(info.attributes?.map(\.title) == Self.further)
            #expect(info.attributes?.map(\.permission) == [nil, "security.view", "security.view", "roles.view", nil])
        }
    }

    @Test(
        "Without the permission for a column of the file, the actor does not get the file; with more permissions, the actor does"
    )
    func download() async throws {
        try await serve { service in
            let client = try service.client()
            func refusal(_ actor: ActorName, _ job: Job) async -> [String?] {
                let read = await failure {
                    _ = try await client.call(ExportRead.self, .init(actor: actor, job: job.id, offset: 0, length: 10))
                }
                let open = await failure { _ = try await client.call(ExportOpen.self, .init(actor: actor, job: job.id)) }
                let receipt = await failure {
                    _ = try await client.call(ExportReceipt.self, .init(actor: actor, job: job.id))
                }
                // Who may have the workbook gets the reason why it has no receipt.
                return [read?.reason, open?.reason, receipt?.reason == "no-key" ? nil : receipt?.reason]
            }
            func permit(_ permissions: String, _ profile: Int = 1) async throws {
                try await service.database.execute(
                    "UPDATE directory.profile SET permissions = '{administrators.view\(permissions)}' WHERE id = \(profile)")
            }
            let job = try await service.export()
            #expect(job.columns?.count == 14)
            #expect(await refusal(ServiceProcess.owner, job) == [nil, nil, nil])
            try await permit(",roles.view")
            #expect(await refusal(ServiceProcess.owner, job) == ["columns-changed", "columns-changed", "columns-changed"])
            let run = try await service.run(["download", job.id, "-o", "late.xlsx"])
            #expect(run.status == 77 && run.errors.contains("A column of the export"))
            try await permit(",roles.view,security.view")
            #expect(await refusal(ServiceProcess.owner, job) == [nil, nil, nil])
            // A file without such columns needs no permission.
            let plain = try await service.export(ServiceProcess.europe)
            try await permit("", 2)
            #expect(await refusal(ServiceProcess.europe, plain) == [nil, nil, nil])
            // The job of an earlier version names no columns: it has the ten. The same holds for a file without attributes.
            try await service.database.execute(
                "UPDATE adminexport.job SET columns = NULL, attributes = NULL, column_permissions = NULL")
            let old = try await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: job.id)).job
            #expect(old.columns?.count == 10)
        }
    }

    @Test("A file with a column that is no longer declared is not delivered, and one without is")
    func withdrawn() async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            try Self.declared.write(toFile: file, atomically: true, encoding: .utf8)
            let environment = ["ADMINEXPORT_CONFIG": file, "ADMINEXPORT_RETENTION": "1h"]
            try await TestDatabase.with { database in
                try await database.execute(Self.sql + ";" + Self.grant)
                func with(_ body: (ServiceProcess) async throws -> Void) async throws {
                    let service = try ServiceProcess.start(database, folder, environment: environment)
                    defer { service.process.terminate() }
                    try await service.waitUntilServing()
                    try await body(service)
                    service.process.terminate()
                    await service.process.end()
                }
                func refusal(_ service: ServiceProcess, _ job: String) async throws -> String? {
                    let client = try service.client()
                    return await failure {
                        _ = try await client.call(
                            ExportRead.self, .init(actor: ServiceProcess.owner, job: job, offset: 0, length: 10))
                    }?.reason
                }
                var job = ""
                try await with { service in
                    job = try await service.export().id
                    #expect(try await refusal(service, job) == nil)
                }
                try "attributes: [{column: hired, title: Hired, type: date}]\n".write(
                    toFile: file, atomically: true, encoding: .utf8)
                try await with { service in
                    #expect(try await refusal(service, job) == "columns-changed")
                    let plain = try await service.export().id
                    #expect(try await refusal(service, plain) == nil)
                }
                try "attributes: []\n".write(toFile: file, atomically: true, encoding: .utf8)
                try await with { service in
                    let reason = try await refusal(service, job)
                    #expect(reason == "columns-changed")
                }
            }
        }
    }

    @Test(
        "The database refuses the worker's role a column that is not declared; migrate grants the declared ones and revokes others"
    )
    func grants() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.sql)
            try await TemporaryFolder.with { folder in
                func migrate(_ declared: String) async throws -> Finished {
                    try declared.write(toFile: folder + "/config.yaml", atomically: true, encoding: .utf8)
                    return try await Programs.run(
                        "adminexportd", ["migrate", "--grant-directory", "--config", folder + "/config.yaml"],
                        environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: TestDatabase.superuser)])
                }
                func granted() async throws -> String {
                    try await database.text(
                        """
                        SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                        WHERE attrelid = 'directory.administrator'::regclass AND attnum > 10
                            AND has_column_privilege('adminexport_worker', attrelid, attnum, 'SELECT')
                        """) ?? ""
                }
                #expect(try await migrate(Self.declared).status == 0)
                #expect(try await granted() == "job_title,last_sign_in,mfa_enabled,team Roles,hired")
                await #expect(throws: (any Error).self) {
                    try await database.execute("SET ROLE adminexport_worker; SELECT undeclared FROM directory.administrator")
                }
                #expect(try await migrate("attributes: [{column: hired, title: Hired, type: date}]\n").status == 0)
                #expect(try await granted() == "hired")
                let wrong = try await migrate("attributes: [{column: hird, title: Hired, type: date}]\n")
                #expect(wrong.status == 78 && wrong.errors.contains("line 1: the column directory.administrator.hird"))
                #expect(try await granted() == "hired")
                #expect(try await migrate("attributes: []\n").status == 0)
                #expect(try await granted() == "")
                // A privilege on the whole relation is reported, not revoked.
                try await database.execute("GRANT SELECT ON directory.administrator TO adminexport_worker")
                let whole = try await migrate("attributes: [{column: team Roles, title: Roles, type: list}]\n")
                #expect(whole.status == 0 && whole.output.contains("The workers can also read password_hash, "))
                #expect(!whole.output.contains("team Roles") && whole.output.contains("undeclared"))
            }
        }
    }

    @Test(
        "A declaration that the database contradicts ends check-config, serve and work with 78 and the line",
        arguments: [
            ("- {column: hird, title: Hired, type: date}", "hird does not exist"),
            ("- {column: hired, title: Hired, type: datetime}", "is date, but"),
        ])
    func contradictions(_ item: String, _ sign: String) async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.sql + ";" + Self.grant)
            try await TemporaryFolder.with { folder in
                try "workers: 1\nattributes:\n\(item)\n".write(
                    toFile: folder + "/config.yaml", atomically: true, encoding: .utf8)
                for command in ["check-config", "serve", "work"] {
                    let run = try await Programs.run(
                        "adminexportd",
                        [command, "--config", folder + "/config.yaml", "--archives", folder]
                            + (command == "serve" ? ["--socket", folder + "/s"] : []),
                        environment: ["ADMINEXPORT_DATABASE_URL": database.url()])
                    #expect(
                        run.status == 78 && run.errors.contains("line 3") && run.errors.contains(sign),
                        "\(command): \(run.errors)")
                }
            }
        }
    }

    @Test(
        "If a column changes its type while the service runs, exports fail with source-invalid; the service answers other requests"
    )
    func vanished() async throws {
        try await serve { service in
            #expect(try await service.export().state == .succeeded)
            try await service.database.execute("ALTER TABLE directory.administrator ALTER job_title TYPE int USING 1")
            let failed = try await service.export()
            #expect(failed.state == .failed && failed.error?.kind == "source-invalid")
            #expect(failed.error?.message.contains("job_title") == true)
            let health = try await service.client().call(ServiceHealth.self, NoMembers())
            #expect(health.status == .degraded && health.directory?.contains("line 2") == true)
        }
    }

    @Test("The example of views accepts the declarations in its comment")
    func example() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let sql = try String(contentsOf: root.appending(path: "Examples/directory-views.sql"), encoding: .utf8)
        let declared = sql.matches(of: /\n +-- +(attributes:|  - \{column: .*)/).map { String($0.1) }
        #expect(declared.count == 4)
        try await TestDatabase.with(migrated: false) { database in
            try await database.execute(sql)
            try await TemporaryFolder.with { folder in
                let file = folder + "/config.yaml"
                try declared.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
                for command in [["migrate", "--grant-directory"], ["check-config", "--archives", folder]] {
                    let run = try await Programs.run(
                        "adminexportd", command + ["--config", file],
                        environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: TestDatabase.superuser)])
                    #expect(run.status == 0, "\(run.errors)")
                    #expect(!run.output.contains("Note:"), "\(run.output)")
                }
            }
        }
    }

    @Test("Without declared attributes, a job names the ten columns")
    func none() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            #expect(job.columns?.count == 10 && job.columns?.first == "Name" && job.columns?.last == "Status")
            #expect(try await service.client().call(ServiceInfo.self, NoMembers()).attributes == [])
        }
    }
}
