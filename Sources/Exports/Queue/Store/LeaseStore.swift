internal import Postgres

/// The queue as workers see it: claims, leases and fenced ends.
///
/// Every write is guarded in the statement itself: by the job's epoch, its state, and a lease that the database's clock
/// says is not over. A statement that changes nothing tells the worker that the job is not its own any more.
package struct LeaseStore: Sendable {
    /// How many jobs of one tenant may run at a time.
    let tenantLimit: @Sendable () -> Int
    let lease: Duration
    let deadline: Duration
    let retention: Duration

    /// - Parameter tenantLimit: asked anew for each claim.
    package init(tenantLimit: @escaping @Sendable () -> Int, lease: Duration, deadline: Duration, retention: Duration) {
        self.tenantLimit = tenantLimit
        self.lease = lease
        self.deadline = deadline
        self.retention = retention
    }

    /// Takes the next job: of the tenant that was served longest ago and has fewer running than it may, its first.
    ///
    /// Tenants with jobs in the queue are found by a walk over the index `job_queued`, one probe for each, so that neither
    /// another tenant's long queue nor a long history costs anything. The tenant's slot row and the job's row are locked with
    /// SKIP LOCKED, so claims never wait for one another; the CTEs are materialized, because a planner that runs a
    /// LIMIT … FOR UPDATE twice locks more than it should.
    func claim(worker: String, on connection: isolated PostgresConnection) async throws -> ClaimedJob? {
        let rows = try await connection.query(
            Query("claim", Self.claimSQL, [.text(worker), .integer(tenantLimit()), .interval(lease), .interval(deadline)]))
        return try rows.first.map { try ClaimedJob($0) }
    }

    /// The tenants that have jobs in the queue, by a loose scan of the index `job_queued`.
    private static let waitingTenants = """
        waiting AS (
            (SELECT q.tenant_key FROM adminexport.job q WHERE q.state = 'queued' ORDER BY q.tenant_key LIMIT 1)
            UNION ALL
            SELECT (SELECT q.tenant_key FROM adminexport.job q WHERE q.state = 'queued' AND q.tenant_key > w.tenant_key
                    ORDER BY q.tenant_key LIMIT 1)
            FROM waiting w WHERE w.tenant_key IS NOT NULL
        )
        """

    /// Slots of those tenants that may have one more job started; parameter 1 is the worker, 2 the limit.
    private static let openSlots = """
        FROM waiting w JOIN adminexport.tenant_slot s ON s.tenant_key = w.tenant_key
        WHERE s.running < $2::int
            AND EXISTS (SELECT FROM adminexport.job q
                        WHERE q.tenant_key = s.tenant_key AND q.state = 'queued' AND q.run_after <= clock_timestamp())
            AND NOT EXISTS (SELECT FROM adminexport.setting WHERE key = 'paused' AND value = 'true')
            AND NOT EXISTS (SELECT FROM adminexport.worker WHERE id = $1::uuid AND drain_requested)
        """

    static let claimSQL = """
        WITH RECURSIVE \(waitingTenants), slot AS MATERIALIZED (
            SELECT s.tenant_key \(openSlots)
            ORDER BY s.turn, s.tenant_key LIMIT 1 FOR UPDATE OF s SKIP LOCKED
        ), picked AS MATERIALIZED (
            SELECT q.id, clock_timestamp() AS at FROM adminexport.job q JOIN slot USING (tenant_key)
            WHERE q.state = 'queued' AND q.run_after <= clock_timestamp()
            ORDER BY q.priority DESC, q.id LIMIT 1 FOR UPDATE OF q SKIP LOCKED
        ), claimed AS (
            UPDATE adminexport.job j SET state = 'running', worker = $1::uuid, epoch = j.epoch + 1,
                attempt = j.attempt + 1, started_at = coalesce(j.started_at, picked.at), attempt_started_at = picked.at,
                deadline_at = picked.at + $4::interval, revision = j.revision + 1,
                error_kind = NULL, error_message = NULL
            FROM picked WHERE j.id = picked.id AND j.state = 'queued' RETURNING j.*
        ), leased AS (
            INSERT INTO adminexport.lease (job, epoch, expires_at)
            SELECT id, epoch, clock_timestamp() + $3::interval FROM claimed
        ), counted AS (
            -- Also where the tenant's job was locked by somebody: the next claim is to look at another tenant first.
            UPDATE adminexport.tenant_slot s SET running = s.running + (SELECT count(*) FROM claimed),
                turn = nextval('adminexport.turn')
            FROM slot WHERE s.tenant_key = slot.tenant_key
        ), \(audit(event: "'started'", "claimed", details: "jsonb_build_object('epoch', epoch, 'attempt', attempt)"))
        SELECT c.id, c.epoch, c.attempt, c.tenant_key, c.tenant_slug, c.actor_key, c.options::text AS options, c.created_at,
            (extract(epoch FROM clock_timestamp() - greatest(c.created_at, c.run_after)) * 1000)::bigint AS waited_ms,
            extract(year FROM c.created_at AT TIME ZONE 'UTC')::int AS year,
            extract(month FROM c.created_at AT TIME ZONE 'UTC')::int AS month
        FROM claimed c
        """

    // MARK: When to look again

    /// Looks what there is to wait for; touches a few index entries however long the history is.
    ///
    /// - Parameters:
    ///   - own: jobs that the worker itself runs, whose leases are its own affair.
    ///   - registering: says in the same statement that the worker is alive; without, it writes nothing.
    func poll(
        worker: String, history: Duration, own: [JobID] = [], registering: (row: WorkerRegistration, storage: String)? = nil,
        on connection: isolated PostgresConnection
    ) async throws -> QueueSnapshot {
        var sql = Self.pollSQL
        var values: [Query.Parameter] = [
            .text(worker), .integer(tenantLimit()), .interval(lease), .interval(history), .texts(own.map(\.description)),
        ]
        if let registering {
            let upsert = Self.registration(registering.row, registering.storage, from: values.count + 1)
            sql = sql.replacing("WITH RECURSIVE ", with: "WITH RECURSIVE seen AS (\(upsert.sql)), ", maxReplacements: 1)
            sql += ", (SELECT is_new FROM seen) AS is_new"
            values += upsert.values
        }
        let rows = try await connection.query(Query("look", sql, values))
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "no snapshot", query: "look") }
        func duration(_ column: String) throws -> Duration? {
            try row.decodeIfPresent(column, as: Int.self).map { .milliseconds($0) }
        }
        var snapshot = QueueSnapshot(
            isClaimable: try row.decode("claimable"), untilLeaseEnds: try duration("lease_ms"),
            untilRetry: try duration("retry_ms"), isMaintenanceDue: try row.decode("maintenance"),
            isSweepDue: try row.decode("sweep"),
            isDraining: try row.decode("draining"))
        if registering != nil { snapshot.isNewRow = try row.decode("is_new") }
        return snapshot
    }

    // Compared with now() where an index is to be used: clock_timestamp() may be another at each row, so none can be. What is due
    // is found as the first of an order, which is the index's: for an EXISTS the planner may read a history that has none of it.
    static let pollSQL = """
        WITH RECURSIVE \(waitingTenants), foreign_lease AS (
            SELECT l.expires_at FROM adminexport.lease l
            WHERE l.job <> ALL ($5::uuid[]) OR (SELECT j.worker FROM adminexport.job j WHERE j.id = l.job) <> $1::uuid
        )
        SELECT EXISTS (SELECT \(openSlots)) AS claimable,
            (SELECT (extract(epoch FROM greatest(min(expires_at), pg_postmaster_start_time() + $3::interval)
                             - clock_timestamp()) * 1000)::bigint
             FROM foreign_lease HAVING count(*) > 0) AS lease_ms,
            (SELECT (extract(epoch FROM run_after - clock_timestamp()) * 1000)::bigint FROM adminexport.job
             WHERE state = 'queued' AND attempt > 0 AND run_after > now() ORDER BY run_after LIMIT 1) AS retry_ms,
            coalesce((SELECT expires_at < now() FROM adminexport.job WHERE state = 'succeeded' AND NOT hold
                      ORDER BY expires_at LIMIT 1), false)
                OR (SELECT id FROM adminexport.job WHERE state = 'expired' AND archive_epoch IS NOT NULL
                    ORDER BY id LIMIT 1) IS NOT NULL
                OR coalesce((SELECT finished_at < now() - $4::interval FROM adminexport.job
                             WHERE state IN ('failed', 'cancelled', 'expired') AND archive_epoch IS NULL AND NOT hold
                             ORDER BY finished_at LIMIT 1), false) AS maintenance,
            pg_postmaster_start_time() + $3::interval < clock_timestamp()
                AND (EXISTS (SELECT FROM foreign_lease WHERE expires_at < clock_timestamp())
                     OR EXISTS (SELECT FROM adminexport.job j WHERE j.state = 'running' AND (j.worker <> $1::uuid OR j.id <> ALL ($5::uuid[]))
                                AND (j.deadline_at < now() - $3::interval
                                     OR NOT EXISTS (SELECT FROM adminexport.lease l WHERE l.job = j.id)))) AS sweep,
            EXISTS (SELECT FROM adminexport.worker WHERE id = $1::uuid AND drain_requested) AS draining
        """

    /// What the database says when a lease is renewed.
    enum Renewal: Sendable, Equatable {
        case held
        case cancelRequested
        case overdue
        /// The lease is over or another worker has the job.
        case lost
    }

    /// Renews the lease and shows the progress, in one heap-only update.
    func renew(
        _ job: ClaimedJob, rowsDone: Int, rowsTotal: Int?, on connection: isolated PostgresConnection
    ) async throws -> Renewal {
        let rows = try await connection.query(
            Query(
                "renew",
                """
                UPDATE adminexport.lease l SET expires_at = clock_timestamp() + $3::interval, rows_done = $4::bigint,
                    rows_total = $5::bigint, seq = l.seq + 1
                FROM adminexport.job j
                WHERE l.job = $1::uuid AND l.epoch = $2::int AND l.expires_at > clock_timestamp()
                    AND j.id = l.job AND j.epoch = $2::int AND j.state = 'running'
                RETURNING j.cancel_requested_at IS NOT NULL AS cancel, j.deadline_at < clock_timestamp() AS overdue
                """,
                [
                    .text(job.id.description), .integer(job.epoch), .interval(lease), .integer(rowsDone),
                    .text(rowsTotal.map(String.init)),
                ]))
        guard let row = rows.first else { return .lost }
        if try row.decode("cancel") { return .cancelRequested }
        return try row.decode("overdue") ? .overdue : .held
    }

    /// Whether the job was cancelled or taken away; writes nothing.
    func peek(_ job: ClaimedJob, on connection: isolated PostgresConnection) async throws -> Renewal {
        let rows = try await connection.query(
            Query(
                "peek",
                """
                SELECT cancel_requested_at IS NOT NULL AS cancel, deadline_at < clock_timestamp() AS overdue
                FROM adminexport.job WHERE id = $1::uuid AND epoch = $2::int AND state = 'running'
                """, [.text(job.id.description), .integer(job.epoch)]))
        guard let row = rows.first else { return .lost }
        if try row.decode("cancel") { return .cancelRequested }
        return try row.decode("overdue") ? .overdue : .held
    }

    // MARK: Workers

    /// Says that the worker is alive, and how it stands with its disk.
    ///
    /// - Parameter storage: `ok`, `full`, `failed` or `wrong-store`.
    /// - Returns: whether its row was not there. A new row shows no counters before the next time: what the worker did may be in
    ///   the total already, see ``WorkerCounters/restart()``.
    @discardableResult
    func register(
        _ worker: WorkerRegistration, storage: String, on connection: isolated PostgresConnection
    ) async throws -> Bool {
        let upsert = Self.registration(worker, storage, from: 1)
        return try await connection.query(Query("register-worker", upsert.sql, upsert.values)).first?.decode("is_new")
            ?? false
    }

    private static func registration(
        _ worker: WorkerRegistration, _ storage: String, from first: Int
    ) -> (sql: String, values: [Query.Parameter]) {
        (
            """
            INSERT INTO adminexport.worker (id, host, version, slots, storage, counters)
            VALUES ($\(first)::uuid, $\(first + 1), $\(first + 2), $\(first + 3)::int, $\(first + 4), '{}')
            ON CONFLICT (id) DO UPDATE
            SET seen_at = clock_timestamp(), storage = excluded.storage, counters = $\(first + 5)::jsonb
            RETURNING xmax = 0 AS is_new
            """,
            [
                .text(worker.id), .text(worker.host), .text(worker.version), .integer(worker.slots), .text(storage),
                .text(worker.counters),
            ]
        )
    }

    struct WorkerRegistration: Sendable {
        let id: String
        let host: String
        let version: String
        let slots: Int
        /// See ``WorkerCounters/row(with:)``.
        let counters: String
        var shown = WorkerCounters.Shown()
    }

    /// Forgets the rows of workers that were killed, to which nothing refers, and makes the audit trail's next partition.
    ///
    /// The partition takes locks that a dump or somebody's open session may keep away for hours, and whoever waits for them
    /// keeps all others waiting: so it gives up at once, and there is a month's time to try again.
    func tidy(on connection: isolated PostgresConnection) async throws {
        try await connection.script("impatient", "SET LOCAL lock_timeout = 200")
        try await connection.query(
            Query(
                "forget-workers",
                Self.retire(
                    "DELETE FROM adminexport.worker WHERE seen_at < clock_timestamp() - interval '1 day' RETURNING counters")
            ))
        try await connection.query(Query("audit-partitions", "SELECT adminexport.ensure_audit_partitions() IS NULL AS done"))
    }

    /// Counts anew what runs, where a slot's count is wrong: nothing here does that, but a hand in the tables can, and it would
    /// keep a tenant out for good.
    ///
    /// - Returns: how many slots were wrong.
    func recount(on connection: isolated PostgresConnection) async throws -> Int {
        let running = "(SELECT count(*) FROM adminexport.job j WHERE j.state = 'running' AND j.tenant_key = s.tenant_key)"
        // Whoever starts or ends a job holds the slot's row: under its lock the next statement counts what is so.
        let suspects = try await connection.query(
            Query(
                "suspect-slots",
                """
                SELECT s.tenant_key FROM adminexport.tenant_slot s WHERE s.running <> \(running)
                LIMIT 16 FOR UPDATE OF s SKIP LOCKED
                """))
        // A sweep passes over a job without a slot, since it locks it.
        let missing = try await connection.query(
            Query(
                "missing-slots",
                """
                INSERT INTO adminexport.tenant_slot (tenant_key, running)
                SELECT j.tenant_key, count(*) FILTER (WHERE j.state = 'running') FROM adminexport.job j
                WHERE j.state IN ('queued', 'running')
                    AND NOT EXISTS (SELECT FROM adminexport.tenant_slot s WHERE s.tenant_key = j.tenant_key)
                GROUP BY j.tenant_key ON CONFLICT DO NOTHING RETURNING 1 AS one
                """)
        ).count
        guard !suspects.isEmpty else { return missing }
        let keys: [String] = try suspects.map { try $0.decode("tenant_key") }
        return try await connection.query(
            Query(
                "recount",
                """
                UPDATE adminexport.tenant_slot s SET running = \(running)
                WHERE s.tenant_key = ANY ($1::text[]) AND s.running <> \(running) RETURNING 1 AS one
                """, [.texts(keys)])
        ).count + missing
    }

    func unregister(_ worker: WorkerRegistration, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "unregister-worker",
                Self.retire("DELETE FROM adminexport.worker WHERE id = $1::uuid RETURNING $2::jsonb AS counters"),
                [.text(worker.id), .text(worker.counters)]))
    }

    /// Adds the counters of workers that go to the total of those that went before.
    private static func retire(_ deletion: String) -> String {
        """
        WITH gone AS (\(deletion))
        UPDATE adminexport.setting s SET value = (
            SELECT jsonb_object_agg(key, total)::text FROM (
                SELECT key, sum(value::bigint) AS total FROM (
                    SELECT key, value FROM jsonb_each_text(s.value::jsonb)
                    UNION ALL SELECT e.key, e.value FROM gone, jsonb_each_text(gone.counters) e) each
                GROUP BY key) sums)
        WHERE s.key = 'retired_counters' AND EXISTS (SELECT FROM gone, jsonb_each_text(gone.counters))
        """
    }
}
