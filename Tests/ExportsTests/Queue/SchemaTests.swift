@testable import Exports
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct SchemaTests {
    @Test("A second migration changes nothing, and concurrent migrations of one or two databases succeed")
    func idempotent() async throws {
        try await TestDatabase.with(migrated: false) { one in
            try await TestDatabase.with(migrated: false) { other in
                let outcomes = try await withThrowingTaskGroup(of: Migrator.Report.self) { group in
                    for database in [one, one, one, other, other] {
                        group.addTask { try await Migrator().run(.withDirectory, on: database.connect()) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(outcomes.count { $0.applied == Array(1...Migrator.version) } == 2)
                #expect(outcomes.count { $0.createdDirectory } == 2)
                #expect(try await Migrator().run(.withDirectory, on: one.connect()) == Migrator.Report())
            }
        }
    }

    @Test("The program refuses a newer schema, unless the schema allows this version of the program")
    func newer() async throws {
        try await TestDatabase.with { database in
            let connection = try await database.connect(user: TestDatabase.serviceUser)
            func check() async throws {
                try await connection.withTransaction(role: "adminexport_api") { try await Migrator.check(on: $0) }
            }
            try await check()
            let next = Migrator.version + 1
            try await database.execute("INSERT INTO adminexport.schema_migration VALUES (\(next), 1)")
            try await check()
            try await database.execute(
                "UPDATE adminexport.schema_migration SET min_binary = \(next) WHERE version = \(next)")
            await #expect(throws: SchemaError.tooNew(next)) { try await check() }
            await #expect(throws: SchemaError.tooNew(next)) {
                _ = try await Migrator().run(on: database.connect())
            }
        }
    }

    @Test("A missing schema and a missing role are different errors")
    func missing() async throws {
        _ = try await TestDatabase.with(migrated: false) { database in
            await #expect(throws: SchemaError.missing) { try await Migrator.check(on: database.connect()) }
        }
        try await TestDatabase.with { database in
            let user = "stranger_\(database.name)"
            try await database.execute("CREATE ROLE \(user) LOGIN")
            let connection = try await database.connect(user: user)
            await #expect(throws: SchemaError.roleMissing("GRANT adminexport_api TO \"\(user)\"")) {
                try await Migrator.checkRoles(["adminexport_api"], on: connection)
            }
            try await database.execute("DROP ROLE \(user)")
        }
    }

    @Test(
        "PostgreSQL denies both roles secret columns and changes of the audit trail",
        arguments: [
            ("adminexport_worker", "SELECT password_hash FROM directory.administrator"),
            ("adminexport_worker", "SELECT totp_secret FROM directory.administrator"),
            ("adminexport_worker", "SELECT api_key FROM directory.administrator"),
            ("adminexport_worker", "SELECT session_token FROM directory.administrator"),
            ("adminexport_worker", "SELECT * FROM directory.administrator"),
            ("adminexport_worker", "SELECT a FROM directory.administrator a"),
            ("adminexport_api", "SELECT password_hash FROM directory.administrator"),
            ("adminexport_api", "SELECT phone FROM directory.administrator"),
            ("adminexport_api", "UPDATE adminexport.audit_event SET reason = 'x'"),
            ("adminexport_api", "UPDATE adminexport.audit_event SET tenant_key = 'x'"),
            ("adminexport_api", "DELETE FROM adminexport.audit_event"),
            ("adminexport_worker", "UPDATE adminexport.audit_event SET reason = 'x'"),
            ("adminexport_worker", "DELETE FROM adminexport.audit_event"),
            ("adminexport_worker", "TRUNCATE adminexport.audit_event"),
            ("adminexport_worker", "UPDATE directory.administrator SET name = 'x'"),
            ("adminexport_api", "UPDATE adminexport.job SET epoch = 9"),
            ("adminexport_api", "DELETE FROM adminexport.job"),
        ])
    func grants(_ role: String, _ sql: String) async throws {
        try await TestDatabase.with { database in
            let connection = try await database.connect(user: TestDatabase.serviceUser)
            let error = await #expect(throws: PostgresError.self) {
                try await connection.withTransaction(role: role) { try await $0.query(Query("forbidden", sql)) }
            }
            #expect(error?.sqlState == SQLState.insufficientPrivilege)
        }
    }

    @Test("Audit events go into the partition of their month, or into the default partition if there is none")
    func partitions() async throws {
        try await TestDatabase.with { database in
            try await database.execute("INSERT INTO adminexport.audit_event (event) VALUES ('requested')")
            try await database.execute("INSERT INTO adminexport.audit_event (at, event) VALUES ('2001-01-01Z', 'requested')")
            #expect(try await database.text("SELECT count(*) FROM adminexport.audit_event_default") == "1")
            try await database.execute("SELECT adminexport.ensure_audit_partitions()")
            #expect(
                try await database.text(
                    "SELECT count(*) FROM pg_inherits WHERE inhparent = 'adminexport.audit_event'::regclass") == "3")
        }
    }

    @Test(
        "The constraints of the table refuse a row that does not fit its state",
        arguments: [
            "UPDATE adminexport.job SET state = 'running'",
            "UPDATE adminexport.job SET state = 'succeeded', finished_at = now()",
            "UPDATE adminexport.job SET state = 'failed', finished_at = now()",
            "UPDATE adminexport.job SET state = 'nonsense'",
            "UPDATE adminexport.job SET finished_at = now()", "UPDATE adminexport.job SET archive_epoch = 0",
            "UPDATE adminexport.job SET error_kind = 'x'", "UPDATE adminexport.job SET epoch = -1",
        ])
    func checks(_ sql: String) async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options)
                VALUES (gen_random_uuid(), '1', '1', 't', 'e', '{}')
                """)
            let error = await #expect(throws: PostgresError.self) { try await database.execute(sql) }
            #expect(error?.sqlState == "23514")
        }
    }
}

extension SchemaTests {
    @Test(
        "migrate creates the requested logins once, with their roles, and grants the columns of a directory that exists"
    )
    func logins() async throws {
        try await TestDatabase.with(migrated: false) { database in
            var request = Migrator.Request()
            request.grantsDirectory = true
            request.apiLogin = "api-\(database.name)"
            request.workerLogin = "worker-\(database.name)"
            let first = try await Migrator().run(request, on: database.connect())
            #expect(first.createdLogins == [request.apiLogin, request.workerLogin] && !first.grantedDirectory)
            try await database.execute(
                """
                CREATE SCHEMA directory;
                CREATE VIEW directory.tenant AS SELECT 1::bigint AS id, 't'::text AS slug, 'T'::text AS name, 'UTC'::text AS time_zone;
                CREATE VIEW directory.administrator AS SELECT 1 AS id
                """)
            let fault = await #expect(throws: SchemaError.self) {
                _ = try await Migrator().run(request, on: database.connect())
            }
            #expect(fault?.description.contains("directory.profile") == true, "\(String(describing: fault))")
            try await database.execute("DROP SCHEMA directory CASCADE")
            _ = try await Migrator().run(.withDirectory, on: database.connect())
            let second = try await Migrator().run(request, on: database.connect())
            #expect(second.createdLogins.isEmpty && second.grantedDirectory)
            let api = try await database.connect(user: request.apiLogin ?? "")
            try await Migrator.checkRoles(["adminexport_api"], on: api)
            await #expect(throws: SchemaError.self) { try await Migrator.checkRoles(["adminexport_worker"], on: api) }
            let worker = try await database.connect(user: request.workerLogin ?? "")
            try await worker.withTransaction(role: "adminexport_worker") {
                _ = try await $0.query(Query("names", "SELECT name, phone FROM directory.administrator"))
            }
            try await database.execute(
                "REASSIGN OWNED BY \"\(request.apiLogin ?? "")\", \"\(request.workerLogin ?? "")\" TO CURRENT_USER; "
                    + "DROP ROLE \"\(request.apiLogin ?? "")\", \"\(request.workerLogin ?? "")\"")
        }
    }

    @Test(
        "A login name that is empty, too long or would need quotes is refused",
        arguments: ["", "1a", "a\"b", "a;b", "a b", "ä", String(repeating: "a", count: 64)])
    func names(_ name: String) {
        #expect(!Migrator.isLogin(name))
        #expect(Migrator.isLogin("adminexport-worker") && Migrator.isLogin("_a"))
    }
}
