import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(10)), .serialized) struct ExportTests {
    /// Reads a workbook with openpyxl and with calamine and prints the rows of both as JSON.
    private static let reader = """
        import datetime, json, sys
        import openpyxl, python_calamine
        def text(value):
            if value is None or value == "":
                return None
            if isinstance(value, (datetime.datetime, datetime.date)):
                return value.strftime("%Y-%m-%d")
            return value
        one = [[text(v) for v in row] for row in openpyxl.load_workbook(sys.argv[1]).active.iter_rows(values_only=True)]
        sheet = python_calamine.CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0)
        two = [[text(v) for v in row] for row in sheet.to_python()]
        print(json.dumps([one, two]))
        """

    /// The report in plain SQL, one array of ten texts for each row. Carriage returns become line feeds, as in every cell.
    private static let plain = """
        SELECT json_agg(row ORDER BY id) FROM (SELECT a.id, json_build_array(nullif(a.name, ''), a.email, a.phone, p.name, g.name,
            (SELECT string_agg(CASE WHEN n.name ~ '[,"]' THEN '"' || replace(n.name, '"', '""') || '"' ELSE n.name END, ', '
                ORDER BY n.name COLLATE "C") FROM directory.administrator_secondary_group l
                JOIN directory.administrator_group n ON n.id = l.group_id WHERE l.administrator_id = a.id),
            (SELECT string_agg(CASE WHEN n.name ~ '[,"]' THEN '"' || replace(n.name, '"', '""') || '"' ELSE n.name END, ', '
                ORDER BY n.name COLLATE "C") FROM directory.administrator_team l
                JOIN directory.team n ON n.id = l.team_id WHERE l.administrator_id = a.id),
            to_char(a.created_at AT TIME ZONE t.time_zone, 'YYYY-MM-DD'), to_char(a.updated_at AT TIME ZONE t.time_zone, 'YYYY-MM-DD'),
            initcap(a.status)) AS row
        FROM directory.administrator a JOIN directory.tenant t ON t.id = a.tenant_id
        LEFT JOIN directory.profile p ON p.id = a.profile_id LEFT JOIN directory.administrator_group g ON g.id = a.main_group_id
        WHERE t.slug = 'acme') r
        """

    @Test("openpyxl and calamine read the same rows and columns from the workbook as plain SQL returns")
    func readers() async throws {
        let demo = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "Sources/Daemon/DemoData/demo-data.sql"), encoding: .utf8)
        let sql = """
            BEGIN; SET LOCAL demo.tenant = 'acme'; SET LOCAL demo.administrators = '5000'; SET LOCAL demo.seed = '7';
            SET LOCAL ROLE adminexport_owner; \(demo); COMMIT
            """
        try await ServiceProcess.with(sql: sql) { service in
            let run = try await service.run(["run", "--include-disabled", "-o", "out.xlsx", "-q"])
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.output == "out.xlsx\n")
            let read = try await Programs.run(
                TestDatabase.environment("TEST_PYTHON"), ["-c", Self.reader, service.folder + "/out.xlsx"])
            try #require(read.status == 0, "\(read.errors)")
            let readers = try JSONDecoder().decode([[[String?]]].self, from: Data(read.output.utf8))
            let text = try #require(try await service.database.text(Self.plain))
            let expected = try JSONDecoder().decode([[String?]].self, from: Data(text.utf8))
            #expect(expected.count == 5_000)
            let header = [
                "Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams", "Creation date",
                "Last update", "Status",
            ]
            for rows in readers {
                #expect(rows.first == header)
                #expect(rows.dropFirst().elementsEqual(expected))
            }
        }
    }

    @Test("Download, archive and job row agree in bytes, digest, size, rows and name")
    func agreement() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            #expect(job.state == .succeeded && job.rows == 6 && job.sheets == 1 && job.warnings.isEmpty)
            #expect(job.fileName?.wholeMatch(of: /administrators-acme-\d{4}-\d\d-\d\d\.xlsx/) != nil)
            for time in [job.createdAt, job.startedAt, job.finishedAt, job.expiresAt] {
                #expect(time?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time ?? "nil")")
            }
            let download = try await service.run(["download", job.id, "-o", "d.xlsx"])
            #expect(download.status == 0, "\(download.errors)")
            let file = try Data(contentsOf: URL(filePath: service.folder + "/d.xlsx"))
            #expect(file.count == job.size)
            let archive = try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.zst"])
            let name = archive.output.trimmingCharacters(in: .newlines)
            #expect(name.hasSuffix("/\(job.id).1.xlsx.zst"))
            let digests = try await Programs.run(
                "/bin/sh",
                ["-c", "zstd -dc '\(name)' | sha256sum | cut -c1-64; sha256sum < '\(service.folder)/d.xlsx' | cut -c1-64"])
            #expect(digests.output == "\(job.sha256 ?? "")\n\(job.sha256 ?? "")\n", "\(digests.errors)")
            let stdout = try await Programs.run(
                "/bin/sh",
                ["-c", "'\(Programs.folder)/adminexport' download \(job.id) -o - | cmp - '\(service.folder)/d.xlsx'"],
                environment: [
                    "ADMINEXPORT_SOCKET": service.socket, "ADMINEXPORT_TENANT": "acme",
                    "ADMINEXPORT_AS": "owner@acme.example",
                ])
            #expect(stdout.status == 0, "\(stdout.errors)")
        }
    }

    @Test("An actor without permission is denied at the start with the reason, and the denial is recorded")
    func denied() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            for (tenant, email) in [
                ("none", "owner@acme.example"), ("acme", "none@acme.example"), ("acme", "gone@acme.example"),
                ("acme", "nobody@acme.example"), ("../x", "owner@acme.example"),
            ] {
                let error = await failure {
                    _ = try await client.call(
                        ExportStart.self, .init(actor: ActorName(tenant: tenant, administrator: email)))
                }
                #expect(error?.code == .service(code: 1001, kind: "permission-denied"))
            }
            // A second denial for the same reason is counted, and written after a minute.
            try await eventually("the first of each reason is in the trail") {
                try await service.database.text(
                    "SELECT string_agg(reason, ' ' ORDER BY id) FROM adminexport.audit_event WHERE event = 'denied'")
                    == "unknown-tenant unknown-administrator administrator-disabled no-permission"
            }
            let run = try await service.run(
                ["run", "-q"], as: ActorName(tenant: "acme", administrator: "nobody@acme.example"))
            #expect(run.status == 77 && run.errors.contains("no permission"))
            let scoped = try await service.export(ServiceProcess.europe)
            #expect(scoped.rows == 5)
            let disabled = try await service.export(includeDisabled: true)
            #expect(disabled.rows == 8)
        }
    }

    @Test("A permission that is withdrawn before processing fails the export; withdrawn later, it prevents the download")
    func permissionsChange() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_LIMITS_RUNNING_PER_TENANT": "1"]) { service in
            let client = try service.client()
            func state(_ actor: ActorName, _ id: String) async throws -> Job {
                try await client.call(ExportGet.self, .init(actor: actor, job: id)).job
            }
            func pause(_ value: Bool) async throws {
                try await service.database.execute("UPDATE adminexport.setting SET value = '\(value)' WHERE key = 'paused'")
            }
            try await pause(true)
            let early = try await client.call(ExportStart.self, .init(actor: ServiceProcess.europe)).job
            try await service.database.execute("UPDATE directory.profile SET permissions = '{}' WHERE id = 2")
            try await pause(false)
            let failed = try await client.finish(ServiceProcess.europe, job: early.id)
            #expect(failed.state == .failed && failed.error?.kind == "permission-denied")

            try await service.database.execute(
                "UPDATE directory.profile SET permissions = '{administrators.view}' WHERE id = 2")
            let job = try await service.export(ServiceProcess.europe)
            func read() async -> ClientError? {
                await failure {
                    _ = try await client.call(
                        ExportRead.self, .init(actor: ServiceProcess.europe, job: job.id, offset: 0, length: 10))
                }
            }
            #expect(await read() == nil)
            // With other groups, the actor no longer sees what the file contains.
            try await service.database.execute("UPDATE directory.administrator SET main_group_id = 4 WHERE id = 2")
            #expect(await read()?.kind == "permission-denied")
            try await service.database.execute("UPDATE directory.administrator SET main_group_id = 1 WHERE id = 2")
            #expect(await read() == nil)
            // With the scope of the whole tenant, the actor sees at least as much.
            try await service.database.execute("UPDATE directory.profile SET scope = 'tenant' WHERE id = 2")
            #expect(await read() == nil)
            try await service.database.execute("UPDATE directory.administrator SET status = 'disabled' WHERE id = 2")
            #expect(await read()?.kind == "permission-denied")
            #expect(try await state(ServiceProcess.europe, job.id).state == .succeeded)
            #expect(
                try await service.database.text("SELECT count(*) FROM adminexport.audit_event WHERE event = 'downloaded'")
                    == "1")
        }
    }

    @Test(
        "With hide, the service refuses a file that was made with show, and new files count the hidden groups; with show, it delivers both"
    )
    func otherGroups() async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            func write(_ word: String) throws {
                let rules = "callers:\n  - {user: \(NSUserName()), tenants: '*', grants: [export]}\n"
                try "scope: {otherGroups: \(word)}\n\(rules)".write(toFile: file, atomically: true, encoding: .utf8)
            }
            try write("show")
            try await ServiceProcess.with(environment: ["ADMINEXPORT_CONFIG": file]) { service in
                let client = try service.client()
                func set(_ word: ServiceInfo.OtherGroups) async throws {
                    try write(word.rawValue)
                    kill(service.process.processIdentifier, SIGHUP)
                    try await eventually("the word is in force") {
                        try await client.call(ServiceInfo.self, NoMembers()).otherGroups == word
                    }
                }
                func refusal(_ job: Job) async -> String? {
                    await failure {
                        _ = try await client.call(
                            ExportRead.self, .init(actor: ServiceProcess.europe, job: job.id, offset: 0, length: 10))
                    }?.reason
                }
                let shown = try await service.export(ServiceProcess.europe)
                #expect(shown.warnings == [])
                #expect(await refusal(shown) == nil)
                try await set(.hide)
                #expect(await refusal(shown) == "scope-changed")
                let hidden = try await service.export(ServiceProcess.europe)
                #expect(hidden.warnings == [Job.Warning(kind: "group-hidden", count: 1)] && hidden.rows == shown.rows)
                #expect(await refusal(hidden) == nil)
                try await set(.show)
                for job in [shown, hidden] { #expect(await refusal(job) == nil) }
            }
        }
    }

    @Test("Another actor's job is not found, and the file of a deleted export is removed")
    func ownershipAndDeletion() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let job = try await service.export()
            for body in [
                { _ = try await client.call(ExportGet.self, .init(actor: ServiceProcess.europe, job: job.id)) },
                { _ = try await client.call(ExportCancel.self, .init(actor: ServiceProcess.europe, job: job.id)) },
                {
                    _ = try await client.call(
                        ExportRead.self, .init(actor: ServiceProcess.europe, job: job.id, offset: 0, length: 1))
                },
                { _ = try await client.call(ExportDelete.self, .init(actor: ServiceProcess.europe, job: job.id)) },
            ] as [() async throws -> Void] {
                #expect(await failure(body)?.kind == "not-found")
            }
            let deleted = try await client.call(ExportDelete.self, .init(actor: ServiceProcess.owner, job: job.id)).job
            #expect(deleted.state == .expired)
            let read = await failure {
                _ = try await client.call(
                    ExportRead.self, .init(actor: ServiceProcess.owner, job: job.id, offset: 0, length: 1))
            }
            #expect(read?.kind == "expired")
            try await eventually("the file is removed") {
                try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.zst"]).output.isEmpty
            }
        }
    }

    @Test("An expired file is removed, and then its row is deleted")
    func retention() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_RETENTION": "1s", "ADMINEXPORT_HISTORY": "3s"]) { service in
            _ = try await service.export()
            try await eventually("file and row are gone") {
                let files = try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.zst"]).output
                let jobs = try await service.database.text("SELECT count(*) FROM adminexport.job")
                return files.isEmpty && jobs == "0"
            }
            #expect(
                try await service.database.text("SELECT count(*) FROM adminexport.audit_event WHERE event = 'expired'")
                    == "1")
        }
    }

    /// Enough administrators that an export takes some seconds in a debug build.
    private static let many = """
        \(SmallTenant.sql);
        INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, main_group_id)
            SELECT i, 1, 'Name ' || i || repeat(md5(i::text), 8), i || '@acme.example', 3, 1 + i % 4 FROM generate_series(100, 150000) i
        """

    /// Starts an export of the owner and waits until it has read rows.
    private func running(_ service: ServiceProcess) async throws -> (Client, Job) {
        let client = try service.client()
        let job = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
        try await eventually("the export reads rows") {
            let now = try await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: job.id)).job
            return now.progress.rowsDone > 0
        }
        return (client, job)
    }

    @Test("A running export can be cancelled, and leaves no file")
    func cancel() async throws {
        try await ServiceProcess.with(sql: Self.many) { service in
            let (client, job) = try await running(service)
            _ = try await client.call(ExportCancel.self, .init(actor: ServiceProcess.owner, job: job.id))
            let cancelled = try await client.finish(ServiceProcess.owner, job: job.id)
            #expect(cancelled.state == .cancelled)
            // The job may be cancelled before the worker has removed its file.
            try await eventually("no file is left") {
                try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.xlsx*"]).output.isEmpty
            }
        }
    }

    @Test("A service that stops hands its export back without counting an attempt, and the next service finishes it")
    func handBack() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_DRAIN": "0s"], sql: Self.many) { service in
            let (client, job) = try await running(service)
            let waiting = Task {
                await failure {
                    _ = try await client.call(
                        ExportWait.self, .init(actor: ServiceProcess.owner, job: job.id, afterRevision: 1_000_000))
                }
            }
            try await TemporaryFolder.with { folder in
                service.process.terminate()
                await service.process.end()
                #expect(service.process.terminationStatus == 0)
                let told = await waiting.value
                #expect(told?.isRetryable == true)
                #expect(
                    try await service.database.text(
                        "SELECT state || ' ' || attempt || ' ' || crashes || ' ' || epoch FROM adminexport.job")
                        == "queued 0 0 1")
                let next = try ServiceProcess.start(service.database, folder, archives: service.archives)
                try await next.waitUntilServing()
                let done = try await next.client().finish(ServiceProcess.owner, job: job.id)
                #expect(done.state == .succeeded && done.rows == 149_907)
                next.process.terminate()
                await next.process.end()
            }
        }
    }

    @Test("A service that stops finishes an export within the drain time; after a second signal it hands the export back")
    func drain() async throws {
        for isHurried in [false, true] {
            try await ServiceProcess.with(environment: ["ADMINEXPORT_DRAIN": "60s"], sql: Self.many) { service in
                _ = try await running(service)
                service.process.terminate()
                if isHurried {
                    // The service removes its socket when it begins to stop.
                    try await eventually("the service has begun to stop") {
                        !FileManager.default.fileExists(atPath: service.socket)
                    }
                    service.process.terminate()
                }
                await service.process.end()
                #expect(service.process.terminationStatus == 0)
                #expect(
                    try await service.database.text("SELECT state || ' ' || epoch FROM adminexport.job")
                        == (isHurried ? "queued 1" : "succeeded 1"))
            }
        }
    }

    @Test("An export whose database connections are closed is retried and succeeds")
    func lostDatabase() async throws {
        try await ServiceProcess.with(sql: Self.many) { service in
            let (client, job) = try await running(service)
            try await service.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            let done = try await client.finish(ServiceProcess.owner, job: job.id)
            #expect(done.state == .succeeded && done.rows == 149_907)
            #expect(try await service.database.text("SELECT attempt FROM adminexport.job") == "2")
        }
    }
}
