import AdminExportAPI
import AdminExportClient
import Foundation
import Postgres
import Testing
import TestSupport

/// Directories with faulty views, and what the programs report about each.
@Suite(.timeLimit(.minutes(10))) struct WrongDirectoryTests {

    private static let columns = [
        "administrator": [
            "id", "tenant_id", "name", "email", "phone", "profile_id", "main_group_id", "status", "created_at", "updated_at",
        ],
        "profile": ["id", "tenant_id", "name", "permissions", "scope"],
        "team": ["id", "tenant_id", "name"],
    ]

    /// Replaces the table by a view.
    private static func view(
        _ relation: String = "administrator", _ changed: [String: String] = [:], from: String? = nil, options: String = ""
    ) -> String {
        let list = (columns[relation] ?? []).map { name in changed[name].map { "\($0) AS \(name)" } ?? "t.\(name)" }
        return """
            CREATE SCHEMA platform;
            GRANT USAGE ON SCHEMA platform TO PUBLIC;
            ALTER TABLE directory.\(relation) SET SCHEMA platform;
            REVOKE ALL ON platform.\(relation) FROM adminexport_api, adminexport_worker;
            CREATE VIEW directory.\(relation) \(options) AS
                SELECT \(list.joined(separator: ", ")) FROM \(from ?? "platform.\(relation) t");
            GRANT SELECT ON directory.\(relation) TO adminexport_api, adminexport_worker;
            """
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        let name: String
        let sql: String
        /// Relation and column, or relation.
        let place: String
        let cure: String
        var testDescription: String { name }
    }

    private static let table = "platform.administrator"

    static let all = [
        Wrong(
            name: "no grants",
            sql: view() + "REVOKE SELECT ON directory.administrator FROM adminexport_api, adminexport_worker",
            place: "adminexport_worker may not read directory.administrator (id, ",
            cure: "GRANT SELECT (id, "),
        Wrong(
            name: "security_invoker", sql: view(options: "WITH (security_invoker = true)"),
            place: "directory.administrator is a view with security_invoker",
            cure: "ALTER VIEW directory.administrator SET (security_invoker = false)"),
        Wrong(
            name: "forced row-level security",
            sql: view() + """
                CREATE ROLE OWNER_ROLE; GRANT OWNER_ROLE TO CURRENT_USER; ALTER TABLE \(table) OWNER TO OWNER_ROLE;
                ALTER VIEW directory.administrator OWNER TO OWNER_ROLE;
                CREATE POLICY part ON \(table) USING (id % 2 = 0);
                ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
                """, place: "row-level security of platform.administrator, which directory.administrator reads",
            cure: "ALTER TABLE platform.administrator NO FORCE ROW LEVEL SECURITY"),
        Wrong(
            name: "timestamp", sql: view("administrator", ["created_at": "t.created_at::timestamp"]),
            place: "directory.administrator.created_at is timestamp without time zone", cure: "created_at AT TIME ZONE 'UTC'"
        ),
        Wrong(
            name: "text dates", sql: view("administrator", ["updated_at": "t.updated_at::text"]),
            place: "directory.administrator.updated_at is text", cure: "updated_at::timestamptz"),
        Wrong(
            name: "boolean status", sql: view("administrator", ["status": "t.status = 'enabled'"]),
            place: "directory.administrator.status is boolean", cure: "CASE WHEN status THEN 'enabled' ELSE 'disabled' END"),
        Wrong(
            name: "jsonb permissions", sql: view("profile", ["permissions": "to_jsonb(t.permissions)"]),
            place: "directory.profile.permissions is jsonb", cure: "ARRAY(SELECT jsonb_array_elements_text(permissions))"),
        Wrong(
            name: "doubled rows",
            sql: view(from: "\(table) t JOIN (VALUES (1), (2)) AS phone (number) ON t.id = 5 OR phone.number = 1"),
            place: "two rows of directory.administrator have the same id 5", cure: "one row for each"),
    ]

    @Test(
        "check-config, doctor and health report the fault, its place and its remedy, and end with a status for a fault",
        arguments: all)
    func said(_ wrong: Wrong) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let owner = "owner_of_\(database.name)"
            try await database.execute(wrong.sql.replacing("OWNER_ROLE", with: owner))
            try await TemporaryFolder.with { folder in
                let environment = ["ADMINEXPORT_DATABASE_URL": database.url(), "ADMINEXPORT_ARCHIVES": folder]
                let check = try await Programs.run("adminexportd", ["check-config"], environment: environment)
                #expect(
                    check.status == 78 && check.errors.contains(wrong.place) && check.errors.contains(wrong.cure), "\(check)"
                )
                let service = try ServiceProcess.start(database, folder)
                defer { service.process.terminate() }
                // The service starts, so that an upgrade to a version that detects more faults causes no outage.
                try await service.waitUntilServing()
                let client = try service.client()
                try await eventually("health reports the fault") {
                    let health = try await client.call(ServiceHealth.self, NoMembers())
                    return health.status == .degraded && health.directory?.contains("directory.") == true
                        && health.directoryFaults?.contains {
                            $0.problem.contains(wrong.place) && $0.remedy.contains(wrong.cure)
                        }
                            == true
                }
                #expect(try await service.run(["health"]).status == 75)
                let doctor = try await service.run(["doctor"])
                #expect(
                    doctor.status == 1 && doctor.output.contains(wrong.place) && doctor.output.contains(wrong.cure),
                    "\(doctor)")
            }
            try await database.execute(
                "DO $$ BEGIN IF to_regrole('\(owner)') IS NOT NULL THEN DROP OWNED BY \(owner) CASCADE; DROP ROLE \(owner); END IF; END $$"
            )
        }
    }

    @Test(
        "Views that are recreated without grants are reported, exports wait, and exports succeed after the grants are restored"
    )
    func recreated() async throws {
        try await ServiceProcess.with { service in
            let database = service.database
            let client = try service.client()
            #expect(try await service.export().state == .succeeded)
            try await database.execute(Self.view())
            #expect(try await service.export().state == .succeeded)
            let again = """
                BEGIN; DROP VIEW directory.administrator;
                CREATE VIEW directory.administrator AS SELECT * FROM platform.administrator; COMMIT
                """
            try await database.execute(again)
            func isRefused(_ call: () async throws -> Void) async -> Bool {
                guard let error = await failure(call) else { return false }
                return error.code == .service(code: 1007, kind: "unavailable") && error.isRetryable
            }
            #expect(await isRefused { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) })
            #expect(await isRefused { _ = try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)) })
            try await eventually("health reports the fault") {
                try await client.call(ServiceHealth.self, NoMembers()).directory?.contains("may not read") == true
            }
            #expect(try await service.run(["run", "-q"]).status == 75)
            try await database.execute("GRANT SELECT ON directory.administrator TO adminexport_api, adminexport_worker")
            // Each call runs the statement again, so no caller waits for the next inspection.
            #expect(try await service.export().state == .succeeded)
            try await eventually("health is ok again") {
                try await client.call(ServiceHealth.self, NoMembers()).status == .ok
            }
            // An export that is queued meanwhile waits until the fault is repaired.
            try await database.execute(again + "; GRANT SELECT ON directory.administrator TO adminexport_api")
            let job = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
            try await eventually("health reports the fault") {
                try await client.call(ServiceHealth.self, NoMembers()).status == .degraded
            }
            try await database.execute("GRANT SELECT ON directory.administrator TO adminexport_worker")
            #expect(try await client.finish(ServiceProcess.owner, job: job.id).state == .succeeded)
        }
    }

    @Test(
        "A column of days with a wrong type fails the export as source-invalid with the cast; after the repair, exports succeed"
    )
    func sourceInvalid() async throws {
        try await ServiceProcess.with(
            sql: SmallTenant.sql + ";" + Self.view("administrator", ["created_at": "t.created_at::timestamp"])
        ) { service in
            let job = try await service.export()
            #expect(job.state == .failed && job.error?.kind == "source-invalid")
            #expect(job.error?.message.contains("created_at AT TIME ZONE 'UTC'") == true, "\(job)")
            try await service.database.execute(
                """
                DROP VIEW directory.administrator;
                CREATE VIEW directory.administrator AS SELECT * FROM platform.administrator;
                GRANT SELECT ON directory.administrator TO adminexport_api, adminexport_worker
                """)
            try await eventually("the service has seen the repair") {
                try await service.client().call(ServiceHealth.self, NoMembers()).directory == "ok"
            }
            #expect(try await service.export().state == .succeeded)
        }
    }

    @Test("A date column that loses its time zone while the service runs fails the next export")
    func changedType() async throws {
        try await ServiceProcess.with { service in
            #expect(try await service.export().state == .succeeded)
            try await service.database.execute("ALTER TABLE directory.administrator ALTER created_at TYPE timestamp")
            let job = try await service.export()
            #expect(job.state == .failed && job.error?.kind == "source-invalid", "\(job)")
            #expect(job.error?.message.contains("created_at") == true, "\(job)")
            try await service.database.execute("ALTER TABLE directory.administrator ALTER created_at TYPE timestamptz")
            try await eventually("exports succeed again") { try await service.export().state == .succeeded }
        }
    }

    @Test(
        "health reports a fault of the directory, and does not blame the database",
        arguments: [
            "ALTER TABLE directory.team RENAME TO crew", "ALTER SCHEMA directory RENAME TO elsewhere",
            "ALTER TABLE directory.administrator_team ALTER team_id TYPE int",
        ])
    func gone(_ change: String) async throws {
        try await ServiceProcess.with { service in
            #expect(try await service.export().state == .succeeded)
            try await service.database.execute(change)
            let client = try service.client()
            try await eventually("health reports the directory") {
                let health = try await client.call(ServiceHealth.self, NoMembers())
                return health.status == .degraded && health.database == "ok"
                    && health.directory?.contains("directory") == true
            }
        }
    }

    @Test(
        "A view whose values cannot be computed fails the export as source-invalid with the SQLSTATE and without data",
        arguments: [
            ("administrator", "name", "(1 / (t.id - t.id))::text", "22012"),
            ("administrator", "phone", "(t.email::date)::text", "22007"),
            ("administrator", "phone", "('2026-13-' || t.id || '1')::date::text", "22008"),
            ("administrator", "phone", "(SELECT x.name FROM platform.administrator x)", "21000"),
            ("administrator", "status", "left(t.status, 7 / (t.id - t.id)::int)", "1007"),
        ])
    func runtime(_ relation: String, _ column: String, _ expression: String, _ state: String) async throws {
        try await ServiceProcess.with(
            sql: SmallTenant.sql + ";" + Self.view(relation, [column: expression])
        ) { service in
            if state == "1007" {
                let client = try service.client()
                let error = try #require(
                    await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) })
                #expect(error.code == .service(code: 1007, kind: "unavailable") && error.isRetryable, "\(error)")
                return
            }
            let job = try await service.export()
            #expect(job.state == .failed && job.error?.kind == "source-invalid", "\(job)")
            let message = job.error?.message ?? ""
            #expect(message.contains("(SQLSTATE \(state))") && !message.contains("@"), "\(message)")
        }
    }

    @Test(
        "A wrong column that decides permissions is reported as a fault of the directory, not as a denial",
        arguments: [
            ("profile", "permissions", "ARRAY[to_jsonb(t.permissions)]"), ("profile", "scope", "t.scope = 'tenant'"),
            ("administrator", "status", "t.status::\"char\""),
        ])
    func doubtful(_ relation: String, _ column: String, _ expression: String) async throws {
        try await ServiceProcess.with(sql: SmallTenant.sql + ";" + Self.view(relation, [column: expression])) { service in
            let client = try service.client()
            let error = try #require(
                await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) })
            #expect(error.code == .service(code: 1007, kind: "unavailable") && error.isRetryable, "\(error)")
        }
    }

    @Test("If the types of keys change while the service runs, the next export succeeds")
    func keyTypes() async throws {
        try await ServiceProcess.with { service in
            #expect(try await service.export().state == .succeeded)
            let tables: [(String, String)] = [
                (
                    "administrator_team",
                    "md5(t.administrator_id::text)::uuid AS administrator_id, md5(t.team_id::text)::uuid AS team_id"
                ),
                (
                    "administrator_secondary_group",
                    "md5(t.administrator_id::text)::uuid AS administrator_id, md5(t.group_id::text)::uuid AS group_id"
                ),
                (
                    "administrator",
                    """
                    md5(t.id::text)::uuid AS id, md5(t.tenant_id::text)::uuid AS tenant_id, t.name, t.email, t.phone,
                    md5(t.profile_id::text)::uuid AS profile_id, md5(t.main_group_id::text)::uuid AS main_group_id, t.status,
                    t.created_at, t.updated_at
                    """
                ),
                ("team", "md5(t.id::text)::uuid AS id, md5(t.tenant_id::text)::uuid AS tenant_id, t.name"),
                (
                    "administrator_group",
                    """
                    md5(t.id::text)::uuid AS id, md5(t.tenant_id::text)::uuid AS tenant_id, t.name,
                    md5(t.parent_id::text)::uuid AS parent_id
                    """
                ),
                (
                    "profile",
                    "md5(t.id::text)::uuid AS id, md5(t.tenant_id::text)::uuid AS tenant_id, t.name, t.permissions, t.scope"
                ), ("tenant", "md5(t.id::text)::uuid AS id, t.slug, t.name, t.time_zone"),
            ]
            let moves = tables.map { table, columns in
                """
                ALTER TABLE directory.\(table) SET SCHEMA platform;
                CREATE VIEW directory.\(table) AS SELECT \(columns) FROM platform.\(table) t;
                GRANT SELECT ON directory.\(table) TO adminexport_api, adminexport_worker;
                """
            }
            try await service.database.execute("BEGIN; CREATE SCHEMA platform; \(moves.joined(separator: "\n")) COMMIT")
            // The first attempt may fail. The next one uses the new types.
            #expect(try await service.export().state == .succeeded)
        }
    }

    @Test("A policy that hides some administrators fails the export")
    func halved() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            _ = try await client.call(ServicePause.self, NoMembers())
            let job = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
            try await service.database.execute(
                """
                CREATE POLICY half ON directory.administrator USING (id % 2 = 1);
                ALTER TABLE directory.administrator ENABLE ROW LEVEL SECURITY
                """)
            // Another export cannot be started.
            let error = await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }
            #expect(error?.code == .service(code: 1007, kind: "unavailable"))
            try await eventually("health names the policy's table") {
                try await client.call(ServiceHealth.self, NoMembers()).directoryFaults?.contains {
                    $0.problem.contains("row-level security of directory.administrator")
                } == true
            }
            _ = try await client.call(ServiceResume.self, NoMembers())
            try await eventually("the export has failed") {
                try await service.database.text(
                    "SELECT state || ' ' || error_kind FROM adminexport.job WHERE id = '\(job.id)'")
                    == "failed source-invalid"
            }
        }
    }

    @Test("A long export does not delay the inspection of the directory, which is not reported as unreachable")
    func besideLargeExport() async throws {
        let many = """
            ; INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, status, created_at, updated_at)
            OVERRIDING SYSTEM VALUE
            SELECT 100 + n, 1, 'A', 'a' || n || '@acme.example', 1, 'enabled', now(), now() FROM generate_series(1, 20000) n
            """
        try await ServiceProcess.with(environment: ["ADMINEXPORT_WORKERS": "1"], sql: SmallTenant.sql + many) { service in
            let client = try service.client()
            let locker = try await service.database.connect()
            try await locker.script("lock", "BEGIN; LOCK TABLE directory.administrator_team")
            _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner))
            try await eventually("the export holds both connections of its pool, and waits") {
                try await service.database.text(
                    """
                    SELECT count(*) = 2 AND bool_or(wait_event_type = 'Lock') FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'adminexportd export' AND xact_start IS NOT NULL
                    """) == "true"
            }
            try await service.database.execute("REVOKE SELECT ON directory.profile FROM adminexport_worker")
            // Polls health, because an inspection that waits for the export would first report an unreachable database.
            try await eventually("health reports the missing privilege") {
                let word = try await client.call(ServiceHealth.self, NoMembers()).directory
                #expect(word?.contains("reached") != true)
                return word?.contains("directory.profile") == true
            }
            try await locker.script("go", "COMMIT")
        }
    }

    @Test("A long search for wrong rows does not delay the inspection after a refused statement")
    func besideSearch() async throws {
        // The timeout of the search ends it.
        let slow = Self.view("team", ["id": "t.id + length(pg_sleep(30)::text)"])
        try await ServiceProcess.with(sql: "\(SmallTenant.sql); \(slow)") { service in
            let client = try service.client()
            let isSearching =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                + "AND state = 'active' AND query LIKE '%is_doubled%'"
            try await eventually("the search runs") { try await service.database.text(isSearching) == "1" }
            try await service.database.execute("REVOKE SELECT ON directory.profile FROM adminexport_api")
            let refused = await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }
            #expect(refused?.code == .service(code: 1007, kind: "unavailable"))
            try await eventually("the fault is found while the search continues") {
                let isFound = service.log.contains("may not read directory.profile")
                return try await service.database.text(isSearching) == "1" && isFound
            }
        }
    }

    @Test("A person in two tenants has the groups and teams of each tenant, without a warning")
    func twoTenants() async throws {
        let both = """
            (SELECT * FROM platform.administrator UNION ALL
             SELECT id, 2, name, email, phone, 4, 5, status, created_at, updated_at, password_hash, totp_secret, api_key, session_token
             FROM platform.administrator WHERE id = 1) t
            """
        try await ServiceProcess.with(sql: SmallTenant.sql + ";" + Self.view(from: both)) { service in
            try await service.database.execute(
                """
                INSERT INTO directory.administrator_secondary_group VALUES (1, 5);
                INSERT INTO directory.administrator_team VALUES (1, 3)
                """)
            let job = try await service.export()
            #expect(job.state == .succeeded && job.warnings.isEmpty, "\(job)")
            try await service.database.execute("INSERT INTO directory.administrator_team VALUES (2, 3)")
            let warned = try await service.export()
            #expect(warned.warnings.map(\.count) == [1], "\(warned)")
        }
    }
}
