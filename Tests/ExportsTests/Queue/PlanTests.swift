import Foundation
import Postgres
import Testing
import TestSupport

@testable import Exports

/// Limits the number of pages that frequent statements read, for any length of the history and any statistics.
@Suite(.timeLimit(.minutes(10)), .serialized) struct PlanTests {
    /// The number of pages that a statement may read, with jobs of twenty tenants in the queue; a plan that reads the history reads a hundred
    /// times as many. With a short history and outdated statistics, the planner sorts a tenant's jobs, here five hundred.
    private static let maxPages = 320

    private static let parameters = [
        "$1": "'018f0000-0000-7000-8000-000000000001'", "$2": "'2'", "$3": "'12 s'", "$4": "'1800 s'", "$5": "'{}'",
        "$6": "'{}'",
        "$7": "'{t1,t2}'", "$8": "'16'",
    ]
    private static let sweepParameters = [
        "$1": "'0.001 s'", "$2": "'{}'", "$3": "'018f0000-0000-7000-8000-000000000001'", "$4": "'k'", "$5": "'m'",
    ]

    /// Statements that nothing measures, with the reason. Callers and workers send some of them as often as they like.
    private static let unmeasured: [String: String] = {
        var reasons: [String: String] = [:]
        func add(_ reason: String, _ names: String...) { for name in names { reasons[name] = reason } }
        add(
            "finds rows by a unique key", "make-slot", "enqueue", "release-key", "find-replayed", "get", "changed",
            "cancel-queued",
            "cancel-running", "delete", "hold", "end-hold", "lock-job", "renew", "peek", "is-published", "receipt", "pause",
            "drain",
            "worker",
            "register-worker", "record-proof", "unregister-worker", "file-removed", "lookup", "lookup-jobs",
            "return-unknown", "audit",
            "tenant-key")
        add(
            "reads tables of the directory or of the catalog", "lookup-actors", "schema-grants",
            "find-directory", "trail-is-table")
        add("takes a lock of the session", "hold-proof")
        add("sets the role of a transaction", "act-as")
        add("reads one row for each worker", "counters", "workers", "forget-workers")
        add("reads one row for each tenant, at the start and every minute", "suspect-slots", "missing-slots", "recount")
        add(
            "reads what is due as the first rows of an index, in the retention's groups", "expire", "end-holds",
            "files-to-remove",
            "forget-jobs",
            "orphans")
        add("reads an entry of an index for each number of jobs that a tenant runs, after many claims", "raise-bound")
        add("reads a setting", "store-id", "lock-store", "store-seen", "installation")
        add(
            "runs once, at a migration or a command", "migration-lock", "left-to-do", "unchecked", "partitions",
            "events-to-key",
            "key-events",
            "is-member",
            "find-role", "find-migrations", "schema-version", "login", "audit-months", "audit-delete", "audit-partitions",
            "undeclared-grants", "attribute-columns", "undeclared-columns", "audit-end", "audit-request", "audit-withdraw",
            "audit-pruned")
        add(
            "reads one row of the checkpoints, or a page of them by their numbers, every hour or for an operator",
            "checkpoint-state",
            "insert-checkpoint", "checkpoints", "last-checkpoint")
        add("reads an index that contains only jobs under a legal hold", "held")
        add("reads a page of the trail from the index by time, in its order", "trail-page", "trail-begin")
        add("lists the open transactions of the server, every hour", "checkpoint-moment", "checkpoint-settled")
        add("reads no table", "test-connection", "replayed", "probe")
        return reasons
    }()

    /// The name of the query, what the statement is for, its text, and values for its parameters.
    private static var statements: [(query: String, name: String, sql: String, parameters: [String: String])] {
        [
            ("claim", "claim", LeaseStore.claimSQL, parameters),
            ("poll", "poll", LeaseStore.pollSQL(settling: Turns.settle("$7", first: "$8")), parameters),
            ("promote", "promotion", Turns.promoteSQL, [:]),
        ]
            + SweepReason.allCases.map {
                let query = QueueMaintenance(lease: .seconds(12)).sweepQuery($0, worker: WorkerID(), except: [])
                return (query.name, "sweep \($0)", query.sql, sweepParameters)
            }
            + [
                (
                    "list", "list of an operator",
                    JobStore.listQuery(owner: .anyone(ofTenants: ["t1"]), states: [], before: nil, limit: 20).sql,
                    ["$1": "'20'", "$2": "'{t1,none}'"]
                ),
                (
                    "list", "next page of an operator",
                    JobStore.listQuery(owner: .anyone(ofTenants: ["t1"]), states: [.queued], before: JobID(), limit: 20).sql,
                    ["$1": "'20'", "$2": "'ffffffff-0000-7000-8000-000000000001'", "$3": "'{t1,none}'"]
                ),
                (
                    "audit-list", "trail of an operator",
                    AuditLog.listQuery(.anyone(ofTenants: ["t1"]), AuditLog.Filter(), after: nil, limit: 20).sql,
                    ["$1": "'20'", "$2": "'{t1,none}'"]
                ),
                (
                    "start-lock", "turn of a start", JobStore.startLockSQL(waits: true),
                    ["$1": "'t7'", "$2": "'16'", "$3": "'5s'"]
                ),
                (
                    "try-start-lock", "refusal of a start", JobStore.startLockSQL(waits: false),
                    ["$1": "'t7'", "$2": "'1'", "$3": "'5s'"]
                ),
                ("median-run", "median run", JobStore.medianRunSQL, [:]),
            ]
    }

    /// The statement with literals, because only PostgreSQL 16 and later explain a statement with parameters.
    private static func fill(_ sql: String, _ values: [String: String]) -> String {
        values.reduce(sql) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
    }

    @Test(
        "Claim, poll, sweep and start read few pages for any length of the history, even with outdated statistics",
        arguments: [(0, "succeeded"), (10_000, "succeeded"), (1_000_000, "succeeded"), (1_000_000, "expired")])
    func pages(_ history: Int, _ state: String) async throws {
        try await TestDatabase.with { database in
            let admin = try await database.connect()
            // The planner keeps the statistics of a small table.
            try await admin.script(
                "small",
                """
                ALTER TABLE adminexport.job SET (autovacuum_enabled = false);
                SET statement_timeout = 0;
                \(Self.insert(20, state: "succeeded"));
                \(Self.insert(20, state: "expired"));
                ANALYZE adminexport.job
                """)
            try await admin.script("history", Self.inBulk(Self.insert(history, state: state)))
            try await database.execute(
                """
                INSERT INTO adminexport.audit_event (at, event, tenant_key, tenant_slug)
                SELECT now() - i * interval '1 s', 'started', 't' || (1 + i % 20), 't' FROM generate_series(1, \(history / 5)) i
                """)
            try await admin.script(
                "queue",
                """
                INSERT INTO adminexport.tenant_slot (tenant_key) SELECT 't' || i FROM generate_series(1, 20) i;
                \(Self.insert(40, state: "queued"));
                \(Self.insert(4, state: "running"));
                INSERT INTO adminexport.lease (job, epoch, expires_at)
                    SELECT id, epoch, now() + interval '1 h' FROM adminexport.job WHERE state = 'running'
                """)
            for isFresh in [false, true] {
                if isFresh { try await admin.script("analyze", "ANALYZE adminexport.job") }
                for (_, name, sql, parameters) in Self.statements {
                    let said = "\(history) jobs that have \(state), statistics \(isFresh ? "fresh" : "stale")"
                    let pages = try await Self.pages(of: Self.fill(sql, parameters), on: admin)
                    #expect(pages <= Self.maxPages, "\(name) touches \(pages) pages with \(said)")
                    let prepared = try await Self.preparedPages(of: sql, parameters, on: admin)
                    #expect(prepared <= Self.maxPages, "\(name), prepared, touches \(prepared) pages with \(said)")
                }
            }
        }
    }

    @Test(
        "The statements of each request and each job read few pages, even with a plan that was made while the tables were empty"
    )
    func madeEarly() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let admin = try await database.connect()
            // A change of the statistics would renew the plans.
            try await admin.script(
                "early",
                "ALTER TABLE adminexport.job SET (autovacuum_enabled = false); SET plan_cache_mode = force_generic_plan")
            let job = "'018f0000-0000-7000-8000-000000000001'"
            let actor = JobStore.Owner.actor(tenantKey: "1", actorKey: "1")
            // Polls and operators' lists are rare, and sessions renew their plans every five minutes.
            let often = Self.statements.filter { !["poll", "list", "audit-list"].contains($0.query) }
            let statements =
                often.map { ($0.name, $0.sql, $0.parameters) } + [
                    (
                        "lookup", JobBatchLoader.sql,
                        ["$1": "'{acme}'", "$2": "'{owner@acme.example}'", "$3": "'{\(JobID())}'"]
                    ),
                    ("lookup of jobs", JobBatchLoader.jobs, ["$1": "'{1}'", "$2": "'{1}'", "$3": "'{\(JobID())}'"]),
                    ("change", JobStore.changedSQL, ["$1": "'{\(JobID())}'", "$2": "'{0}'"]),
                    (
                        "list of an actor", JobStore.listQuery(owner: actor, states: [], before: nil, limit: 20).sql,
                        ["$1": "'20'", "$2": "'1'", "$3": "'1'"]
                    ),
                    ("renewal", LeaseStore.renewSQL, ["$1": job, "$2": "'1'", "$3": "'12 s'", "$4": "'1'", "$5": "'1'"]),
                ]
            func run(_ number: Int, _ sql: String, _ parameters: [String: String]) -> String {
                let arguments = Self.arguments(of: sql, parameters)
                return "EXECUTE early_\(number)\(arguments.isEmpty ? "" : " (\(arguments))")"
            }
            for (number, (_, sql, parameters)) in statements.enumerated() {
                try await admin.script("prepare", "PREPARE early_\(number) AS \(sql)")
                _ = try await Self.pages(of: run(number, sql, parameters), on: admin)
            }
            // Of twenty tenants; the actor has a thousand.
            try await database.execute(
                """
                SET session_replication_role = replica; \(Self.insert(20_000, state: "expired"));
                INSERT INTO adminexport.tenant_slot (tenant_key) SELECT 't' || i FROM generate_series(1, 20) i;
                UPDATE adminexport.job SET tenant_key = '1', actor_key = '1' WHERE tenant_key = 't3';
                RESET session_replication_role; \(Self.insert(40, state: "queued"))
                """)
            for (number, (name, sql, parameters)) in statements.enumerated() {
                let pages = try await Self.pages(of: run(number, sql, parameters), on: admin)
                #expect(pages <= Self.maxPages, "\(name) touches \(pages) pages with a plan that was made for empty tables")
            }
        }
    }

    /// The number of pages that a claim may read, however many tenants wait, run at their limit or have retries ahead.
    private static let maxClaimPages = 40
    /// The same after 3,000 jobs while another transaction has held its snapshot.
    private static let maxHeldPages = 200

    @Test(
        "A claim reads no more pages with 10,000 tenants that wait, at their limit, or with retries ahead, or with a long history"
    )
    func claims() async throws {
        try await TestDatabase.with { database in
            let admin = try await database.connect()
            try await admin.script("timeout", "SET statement_timeout = 0")
            func queue(_ tenants: Int, _ name: String, running: Int = 0, delayed: String = "0 s", each: Int = 1) -> String {
                """
                INSERT INTO adminexport.tenant_slot (tenant_key, running) SELECT '\(name)' || i, \(running) FROM generate_series(1, \(tenants)) i;
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, run_after)
                    SELECT gen_random_uuid(), '\(name)' || i, 'a', 't', 'e', '{}', now() + interval '\(delayed)'
                    FROM generate_series(1, \(tenants)) i, generate_series(1, \(each)) n
                """
            }
            for (name, sql) in [
                ("100 tenants that wait", queue(100, "a")), ("10,000 tenants that wait", queue(10_000, "b")),
                ("10,000 tenants at their limit", queue(10_000, "c", running: 50)),
                ("10,000 retries of a tenant", queue(1, "d", delayed: "1 h", each: 10_000)),
                ("a job of that tenant", queue(0, "e") + "; " + Self.job(of: "d1")),
                ("1,000,000 jobs that are over", Self.inBulk(Self.insert(1_000_000, state: "succeeded"))),
            ] {
                try await admin.script("scenario", sql)
                for isFresh in [false, true] {
                    if isFresh { try await admin.script("analyze", "ANALYZE adminexport.job, adminexport.tenant_slot") }
                    for limit in ["'2'", "'50'"] {
                        let parameters = Self.parameters.merging(["$2": limit]) { $1 }
                        // The first run reads the catalog.
                        _ = try await Self.preparedPages(of: LeaseStore.claimSQL, parameters, on: admin)
                        let pages = try await Self.preparedPages(of: LeaseStore.claimSQL, parameters, on: admin)
                        #expect(
                            // With a large limit, it looks at more levels.
                            pages <= (limit == "'2'" ? 1 : 2) * Self.maxClaimPages,
                            "a claim touches \(pages) pages after \(name), limit \(limit), fresh: \(isFresh)")
                    }
                }
            }
        }
    }

    @Test("A claim reads few pages after 3,000 jobs under another transaction's snapshot", arguments: [1, 3_000])
    func held(_ tenants: Int) async throws {
        try await TestDatabase.with { database in
            // Only to save time.
            try await database.execute("ALTER DATABASE \"\(database.name)\" SET synchronous_commit = off")
            let pool = database.pool()
            let leases = LeaseStore(
                tenantLimit: { 2 }, lease: .seconds(600), deadline: .seconds(3_600), retention: .seconds(3_600))
            let admin = try await database.connect()
            try await admin.script(
                "slots",
                """
                INSERT INTO adminexport.tenant_slot (tenant_key) SELECT 't' || i FROM generate_series(1, \(tenants)) i;
                INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)
                    SELECT gen_random_uuid(), 't' || i, 't', 'a', 'e', '{}' FROM generate_series(1, \(tenants)) i;
                ANALYZE adminexport.job, adminexport.tenant_slot
                """)
            let holder = try await database.connect()
            try await holder.script("hold", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM adminexport.setting")
            var recent: [String] = []
            for turn in 0..<3_000 {
                try await admin.script("start", Self.job(of: "t\(1 + turn % tenants)"))
                let known = recent
                let claim = try await pool.withTransaction(role: DatabaseRole.worker) {
                    try await leases.claim(worker: WorkerID(), recent: known, on: $0)
                }
                let job = try #require(claim.job)
                _ = try await pool.withTransaction(role: DatabaseRole.worker) {
                    try await leases.end(job, .failed(JobFailure(kind: "k", message: "m")), on: $0)
                }
                // What the loop of a worker does now and then.
                if turn % Turns.claimsForRaise == 0 {
                    try await pool.withTransaction(role: DatabaseRole.worker) {
                        try await Turns.raiseBound(tenantLimit: 2, on: $0)
                    }
                }
                if !recent.contains(job.tenantKey) { recent.append(job.tenantKey) }
                guard recent.count >= 16 || turn % 100 == 99 else { continue }
                let poll = LeaseStore.Poll(
                    worker: WorkerID(), history: .seconds(3_600), recent: recent, settling: recent, isThorough: false)
                _ = try await pool.withTransaction(role: DatabaseRole.worker) { try await leases.poll(poll, on: $0) }
                recent = []
            }
            _ = try await Self.preparedPages(of: LeaseStore.claimSQL, Self.parameters, on: admin)
            let pages = try await Self.preparedPages(of: LeaseStore.claimSQL, Self.parameters, on: admin)
            #expect(pages <= Self.maxHeldPages, "a claim touches \(pages) pages with \(tenants) tenants")
            try await holder.script("release", "COMMIT")
        }
    }

    /// The number of pages for a page of a hundred jobs or events.
    private static let maxListPages = 300

    @Test("A page of an operator's list reads few pages: of a tenant, a label, an actor or all, by state, event and time")
    func questions() async throws {
        // The trail in full takes minutes: PLAN_EVENTS=10000000.
        let events = Int(ProcessInfo.processInfo.environment["PLAN_EVENTS"] ?? "") ?? 1_000_000
        try await TestDatabase.with { database in
            let admin = try await database.connect()
            try await admin.script("fill", Self.history(jobs: 1_000_000, events: events))
            try await admin.script("vacuum", "VACUUM ANALYZE adminexport.job, adminexport.audit_event")
            for (name, query) in Self.questions {
                let values = Dictionary(
                    uniqueKeysWithValues: query.parameters.enumerated().map { number, parameter in
                        guard case .text(let text) = parameter else { return ("$\(number + 1)", "NULL") }
                        return ("$\(number + 1)", "'\(text)'")
                    })
                for _ in 0..<2 {
                    let pages = try await Self.preparedPages(of: query.sql, values, on: admin)
                    #expect(pages <= Self.maxListPages, "\(name) touches \(pages) pages")
                }
            }
        }
    }

    private static var questions: [(String, Query)] {
        var found: [(String, Query)] = [("depth", Query("depth", QueueControl.depthSQL))]
        let owners: [(String, JobStore.Owner)] = [
            ("all", .anyone(ofTenants: nil)), ("a large tenant", .anyone(ofTenants: ["t1"])),
            ("small tenants", .anyone(ofTenants: ["t500", "t501"])), ("a large label", .labelled("s1")),
            ("a small label", .labelled("s500")), ("no tenant", .anyone(ofTenants: ["none"])),
            ("no label", .labelled("none")),
        ]
        for (name, owner) in owners {
            for states: [JobState] in [[]] + JobState.allCases.map({ [$0] }) + [
                [.failed, .cancelled], [.queued, .expired],
            ] {
                for before in [nil, JobID()] {
                    found.append(
                        (
                            "jobs of \(name) \(states) \(before == nil ? "" : "next")",
                            JobStore.listQuery(owner: owner, states: states, before: before, limit: 100)
                        ))
                }
            }
            for kinds: [Audit.Event]? in [nil, [.denied], [.denied, .failed], [.started]] {
                // An event of a label is looked for among the events of the label.
                if case .labelled = owner, kinds != nil { continue }
                for time in [0, 1, 2] {
                    var filter = AuditLog.Filter()
                    filter.events = kinds
                    let now = Int(Date().timeIntervalSince1970) * 1_000_000
                    if time > 0 { filter.from = now - 300 * 86_400 * 1_000_000 }
                    if time > 1 { filter.before = now - 200 * 86_400 * 1_000_000 }
                    found.append(
                        (
                            "events of \(name) \(kinds?.map(\.rawValue) ?? []) time \(time)",
                            AuditLog.listQuery(owner, filter, after: .init(at: now, id: 1), limit: 100)
                        ))
                }
            }
            var filter = AuditLog.Filter()
            filter.actorEmail = "a7@example.com"
            found.append(("events of an actor of \(name)", AuditLog.listQuery(owner, filter, after: nil, limit: 100)))
        }
        return found
    }

    /// Jobs and events of a year and ten thousand tenants, half of them of one tenant. Rare states and events are the oldest.
    private static func history(jobs: Int, events: Int) -> String {
        let months = (0...13).map { month in
            """
            EXECUTE format('CREATE TABLE adminexport.audit_event_test_\(month) PARTITION OF adminexport.audit_event FOR VALUES FROM (%L) TO (%L)',
                date_trunc('month', now() - interval '\(month + 1) months'), date_trunc('month', now() - interval '\(month) months'));
            """
        }
        return """
            SET statement_timeout = 0;
            DO $do$ BEGIN \(months.joined(separator: "\n")) END $do$;
            \(inBulk(rows(jobs: jobs, events: events)));
            INSERT INTO adminexport.tenant_slot (tenant_key) SELECT 't' || i FROM generate_series(1, 20) i;
            \(insert(40, state: "queued"))
            """
    }

    private static func rows(jobs: Int, events: Int) -> String {
        """
        INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, state, epoch, archive_epoch,
            started_at, finished_at, cancel_requested_at, error_kind, error_message, rows, sheets, size, sha256, file_date, expires_at,
            scope_digest)
        SELECT (lpad(to_hex(1700000000000 + i), 12, '0') || '7000' || '8' || substr(md5(i::text), 1, 15))::uuid, 't' || tenant, 'a',
            's' || tenant, 'e', '{}', state, 1, CASE WHEN state = 'succeeded' THEN 1 END, now(), now(), now(),
            CASE WHEN state = 'failed' THEN 'k' END, CASE WHEN state = 'failed' THEN 'm' END,
            CASE WHEN state IN ('succeeded', 'expired') THEN 1 END, 1, 1, sha256('x'), now(), now() + interval '7 d', 'x'
        FROM (SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE 1 + i % 10000 END AS tenant,
                CASE WHEN i <= 200 THEN (ARRAY['failed', 'cancelled'])[1 + i / 2 % 2]
                     WHEN i <= \(jobs / 2) THEN 'expired' ELSE 'succeeded' END AS state
            FROM generate_series(1, \(jobs)) i) rows;
        INSERT INTO adminexport.audit_event (at, event, tenant_key, tenant_slug, actor_email)
        SELECT now() - interval '400 d' * (1 - i::float8 / \(events)),
            CASE WHEN i <= 200 THEN (ARRAY['denied', 'failed'])[1 + i / 2 % 2] ELSE (ARRAY['requested', 'started', 'finished'])[1 + i % 3] END,
            't' || tenant, 's' || tenant, 'a' || i % 50000 || '@example.com'
        FROM (SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE 1 + i % 10000 END AS tenant FROM generate_series(1, \(events)) i) rows
        """
    }

    /// Inserts many jobs and events without triggers, which this suite does not check, and builds the indexes once, after the rows. The
    /// planner's numbers of rows and pages stay what they were.
    private static func inBulk(_ sql: String) -> String {
        """
        CREATE TEMPORARY TABLE filled AS SELECT c.oid, c.relpages, c.reltuples, i.indrelid
            FROM pg_class c JOIN pg_index i ON c.oid IN (i.indexrelid, i.indrelid)
            WHERE i.indrelid IN (SELECT 'adminexport.job'::regclass
                UNION ALL SELECT relid FROM pg_partition_tree('adminexport.audit_event') WHERE isleaf);
        UPDATE pg_index SET indisready = false WHERE indrelid IN (SELECT indrelid FROM filled);
        SET session_replication_role = replica;
        SET maintenance_work_mem = '256MB';
        \(sql);
        RESET session_replication_role;
        DO $do$ DECLARE relation regclass; BEGIN
            FOR relation IN SELECT DISTINCT indrelid FROM filled LOOP EXECUTE format('REINDEX TABLE %s', relation); END LOOP;
        END $do$;
        UPDATE pg_class c SET relpages = f.relpages, reltuples = f.reltuples FROM filled f WHERE f.oid = c.oid;
        DROP TABLE filled
        """
    }

    private static func job(of tenant: String) -> String {
        """
        INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)
        VALUES ('\(JobID())', '\(tenant)', 't', 'a', 'e', '{}')
        """
    }

    @Test("Each statement of the service is measured, or has a reason not to be")
    func complete() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources/Exports")
        var names: Set<String> = []
        for case let file as URL in FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil) ?? .init()
        where file.pathExtension == "swift" {
            let code = try String(contentsOf: file, encoding: .utf8)
            for match in code.matches(of: /\bQuery\(\s*"([a-z0-9-]+)"/) { names.insert(String(match.1)) }
        }
        #expect(names.count > 40)
        let measured = Set(Self.statements.map(\.query) + Self.questions.map(\.1.name))
        for name in names.sorted() {
            #expect(
                measured.contains(name) != (Self.unmeasured[name] != nil),
                "add the statement \(name) to `statements`, so that its cost is known")
        }
        #expect(names.isSuperset(of: Self.unmeasured.keys), "a statement in `unmeasured` does not exist")
    }

    private static func insert(_ count: Int, state: String) -> String {
        let isDone = state == "succeeded" || state == "expired"
        let isRunning = state == "running"
        return """
            INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, state, epoch, archive_epoch,
                started_at, finished_at, rows, sheets, size, sha256, file_date, expires_at, scope_digest, worker, deadline_at)
            SELECT gen_random_uuid(), 't' || (1 + i % 20), 'a', 't', 'e', '{}', '\(state)', \(isDone || isRunning ? 1 : 0),
                \(state == "succeeded" ? "1" : "NULL"), \(isDone || isRunning ? "now()" : "NULL"), \(isDone ? "now()" : "NULL"),
                \(isDone ? "1, 1, 1, sha256('x'), now(), now() + interval '7 d', 'x'" : "NULL, NULL, NULL, NULL, NULL, NULL, NULL"),
                \(isRunning ? "gen_random_uuid(), now() + interval '1 h'" : "NULL, NULL")
            FROM generate_series(1, \(count)) i
            """
    }

    /// The pages with one plan for all parameters, as in sessions without a pooler.
    private static func preparedPages(
        of sql: String, _ values: [String: String], on connection: PostgresConnection
    ) async throws -> Int {
        let arguments = arguments(of: sql, values)
        try await connection.script("prepare", "SET plan_cache_mode = force_generic_plan; PREPARE planned AS \(sql)")
        let pages = try await pages(of: "EXECUTE planned\(arguments.isEmpty ? "" : " (\(arguments))")", on: connection)
        try await connection.script("deallocate", "DEALLOCATE planned")
        return pages
    }

    private static func arguments(of sql: String, _ values: [String: String]) -> String {
        // A statement may use fewer parameters than there are values.
        let used = (0...values.count).last { $0 > 0 && sql.contains("$\($0)") } ?? 0
        return (0...used).compactMap { values["$\($0)"] }.joined(separator: ", ")
    }

    private static func pages(of sql: String, on connection: PostgresConnection) async throws -> Int {
        try await connection.withTransaction { connection in
            // Each run is rolled back, so that the next one finds the same rows.
            try await connection.script("savepoint", "SAVEPOINT before")
            let rows = try await connection.query(
                Query("explain", "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) \(sql)"))
            try await connection.script("undo", "ROLLBACK TO before")
            let json: String = try #require(try rows.first?.decode("QUERY PLAN"))
            let plans = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
            let plan = try #require(plans.first?["Plan"] as? [String: Any])
            return ["Shared Hit Blocks", "Shared Read Blocks"].reduce(0) { $0 + (plan[$1] as? Int ?? 0) }
        }
    }
}
