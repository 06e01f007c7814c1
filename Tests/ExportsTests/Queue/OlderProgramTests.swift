@testable import Exports
import Postgres
import TestSupport
import Testing

/// The rows that programs of version 3 write, before the migration to schema 4 and after it.
@Suite(.timeLimit(.minutes(10))) struct OlderProgramTests {
    /// The statement with which version 3 starts exports: it inserts the jobs and their events.
    private static func enqueue(_ count: Int, tenant: String) -> String {
        """
        WITH j AS (
            INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)
            SELECT gen_random_uuid(), '\(tenant)', 'slug', 'a', 'a@example.com', '{}' FROM generate_series(1, \(count))
            RETURNING *
        ), audited AS (
            INSERT INTO adminexport.audit_event (event, job, tenant_slug, actor_key, actor_email, peer_uid, details)
            SELECT 'requested', id, tenant_slug, actor_key, actor_email, 1, '{}' FROM j
        )
        SELECT count(*) FROM j
        """
    }

    /// The statement with which version 3 claims a job: it updates the row and inserts its event.
    private static let claim = """
        WITH claimed AS (
            UPDATE adminexport.job j SET state = 'running', worker = gen_random_uuid(), epoch = j.epoch + 1, attempt = j.attempt + 1,
                started_at = coalesce(j.started_at, clock_timestamp()), deadline_at = now() + interval '1 h'
            WHERE state = 'queued' RETURNING j.*
        ), audited AS (
            INSERT INTO adminexport.audit_event (event, job, tenant_slug, actor_key, actor_email)
            SELECT 'started', id, tenant_slug, actor_key, actor_email FROM claimed
        )
        SELECT count(*) FROM claimed
        """

    private static let wrong = """
        SELECT count(*) FROM adminexport.audit_event e JOIN adminexport.job j ON j.id = e.job
        WHERE e.tenant_key IS DISTINCT FROM j.tenant_key
        """

    @Test("An event without a tenant's key gets the key of its job, even if the same statement inserts the job")
    func beside() async throws {
        try await TestDatabase.with { database in
            for (role, sql) in [
                ("adminexport_api", Self.enqueue(1, tenant: "7")), ("adminexport_worker", Self.claim),
                ("adminexport_api", "INSERT INTO adminexport.audit_event (event, tenant_slug) VALUES ('denied', 'acme')"),
                (
                    "adminexport_api",
                    "INSERT INTO adminexport.audit_event (event, job) VALUES ('denied', '018f0000-0000-7000-8000-000000000001')"
                ),
            ] {
                let connection = try await database.connect(user: TestDatabase.serviceUser)
                try await connection.withTransaction(role: role) { try await $0.script("older", sql) }
            }
            #expect(
                try await database.text(
                    "SELECT string_agg(event || ':' || coalesce(tenant_key, '-'), ' ' ORDER BY id) FROM adminexport.audit_event"
                )
                    == "requested:7 started:7 denied:- denied:-")
        }
    }

    @Test("A claim that does not set the start of its attempt gets the time of the claim")
    func attempts() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.enqueue(1, tenant: "7"))
            try await database.execute(Self.claim)
            #expect(try await database.text("SELECT attempt_started_at >= started_at FROM adminexport.job") == "true")
            // A newer program made an attempt an hour ago. An older program claims the job now.
            try await database.execute(
                """
                UPDATE adminexport.job SET state = 'queued', worker = NULL, deadline_at = NULL,
                    started_at = now() - interval '1 h', attempt_started_at = now() - interval '1 h'
                """)
            try await database.execute(Self.claim)
            #expect(
                try await database.text(
                    "SELECT attempt_started_at > now() - interval '1 min' AND epoch = 2 FROM adminexport.job")
                    == "true")
            // An update that is not a claim does not change the time.
            let before = try await database.text("SELECT attempt_started_at FROM adminexport.job")
            try await database.execute("UPDATE adminexport.job SET epoch = epoch, revision = revision + 1")
            #expect(try await database.text("SELECT attempt_started_at FROM adminexport.job") == before)
        }
    }

    @Test("The migration gives all earlier events the key of their job; events without a job keep none")
    func backfill() async throws {
        try await TestDatabase.with(migrated: false) { database in
            var request = Migrator.Request()
            request.target = 3
            #expect(try await Migrator().run(request, on: database.connect()).applied == [1, 2, 3])
            try await database.execute(Self.enqueue(700, tenant: "7"))
            try await database.execute(Self.enqueue(600, tenant: "8"))
            try await database.execute(Self.claim)
            try await database.execute(
                """
                INSERT INTO adminexport.audit_event (event, tenant_slug) VALUES ('denied', 'slug');
                INSERT INTO adminexport.audit_event (event, job, at) SELECT 'requested', id, '2001-01-01Z' FROM adminexport.job LIMIT 1
                """)
            let outcome = try await Migrator().run(on: database.connect())
            #expect(outcome.applied == Array(4...Migrator.version) && outcome.keyedEvents == 2 * 1_300 + 1)
            #expect(try await database.text(Self.wrong) == "0")
            #expect(try await database.text("SELECT count(*) FROM adminexport.audit_event WHERE tenant_key IS NULL") == "1")
            #expect(try await database.text("SELECT count(*) FROM adminexport.setting WHERE key LIKE 'audit%'") == "0")
            #expect(try await Migrator().run(on: database.connect()) == Migrator.Report())
        }
    }

    @Test("A migration beside a long transaction gives up in time without a change, and succeeds after that transaction")
    func longReader() async throws {
        try await TestDatabase.with(migrated: false) { database in
            var request = Migrator.Request()
            request.target = 3
            _ = try await Migrator().run(request, on: database.connect())
            try await database.execute(Self.enqueue(10, tenant: "7"))
            let migration = try await database.connect().withTransaction { reader in
                try await reader.script("read", "SELECT FROM adminexport.audit_event")
                await #expect(throws: SchemaError.tablesInUse) {
                    try await Migrator(lockTimeout: .milliseconds(20), attempts: 2).run(on: database.connect())
                }
                #expect(try await database.text("SELECT max(version) FROM adminexport.schema_migration") == "3")
                // The next migration tries until the reader has ended.
                return Task {
                    try await Migrator(lockTimeout: .milliseconds(200), attempts: 60).run(on: database.connect())
                }
            }
            #expect(try await migration.value.applied == Array(4...Migrator.version))
            #expect(
                try await database.text(
                    "SELECT count(*) FROM pg_constraint WHERE conname = 'audit_event_event_check' AND NOT convalidated")
                    == "0")
            #expect(
                try await database.text(
                    "SELECT indisvalid FROM pg_index WHERE indexrelid = 'adminexport.audit_event_of_tenant'::regclass")
                    == "true")
            #expect(try await Migrator().run(on: database.connect()) == Migrator.Report())
        }
    }

    @Test("The next migration completes keys that an interrupted one left empty, even if two migrations run at once")
    func interrupted() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.enqueue(1_200, tenant: "7"))
            try await database.execute(
                """
                UPDATE adminexport.audit_event SET tenant_key = NULL;
                INSERT INTO adminexport.setting (key, value)
                VALUES ('audit_tenant_key_after', '00000000-0000-0000-0000-000000000000')
                """)
            let keyed = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...2 {
                    group.addTask { try await Migrator().run(on: database.connect()).keyedEvents }
                }
                return try await group.reduce(0, +)
            }
            #expect(keyed == 1_200)
            #expect(try await database.text(Self.wrong) == "0")
        }
    }

    @Test("An index finds a tenant's newest events without reading those of other tenants")
    func index() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                INSERT INTO adminexport.audit_event (event, tenant_key, at)
                SELECT 'denied', 't' || i % 50, now() - i * interval '1 s' FROM generate_series(1, 20000) i;
                ANALYZE adminexport.audit_event
                """)
            let plan = try await database.connect().query(
                Query(
                    "explain",
                    """
                    EXPLAIN SELECT * FROM adminexport.audit_event WHERE tenant_key = 't7' ORDER BY at DESC, id DESC LIMIT 100
                    """))
            let lines: [String] = try plan.map { try $0.decode("QUERY PLAN") }
            #expect(!lines.contains { $0.contains("Seq Scan") }, "\(lines)")
            #expect(lines.contains { $0.contains("tenant_key_at_id") || $0.contains("_of_tenant on") }, "\(lines)")
        }
    }

    @Test("The role adminexport_api may remove the idempotency key of a row")
    func idempotencyKey() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, idempotency_key, idempotency_hash)
                VALUES (gen_random_uuid(), '1', '1', 't', 'e', '{}', 'k', sha256('x'))
                """)
            let connection = try await database.connect(user: TestDatabase.serviceUser)
            try await connection.withTransaction(role: "adminexport_api") {
                try await $0.script("give-up", "UPDATE adminexport.job SET idempotency_key = NULL, idempotency_hash = NULL")
            }
            #expect(try await database.text("SELECT count(idempotency_key) FROM adminexport.job") == "0")
        }
    }
}
