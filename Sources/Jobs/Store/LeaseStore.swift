internal import Postgres

/// The queue as workers see it: claims, leases and fenced ends.
///
/// Every write is guarded in the statement itself: by the job's epoch, its state, and a lease that the database's clock
/// says is not over. A statement that changes nothing tells the worker that the job is not its own any more.
package struct LeaseStore: Sendable {
    /// How many jobs of one tenant may run at a time.
    let tenantLimit: Int
    let lease: Duration
    let deadline: Duration
    let retention: Duration

    package init(tenantLimit: Int, lease: Duration, deadline: Duration, retention: Duration) {
        self.tenantLimit = tenantLimit
        self.lease = lease
        self.deadline = deadline
        self.retention = retention
    }

    /// Lost leases after which a job is given up.
    static let mostCrashes = 3

    /// Takes the next job: of the tenant that was served longest ago and has fewer running than it may, its first.
    ///
    /// The tenant's slot row and the job's row are locked with SKIP LOCKED, so claims never wait for one another; the CTEs
    /// are materialized, because a planner that runs a LIMIT … FOR UPDATE twice locks more than it should.
    func claim(worker: String, on connection: isolated PostgresConnection) async throws -> ClaimedJob? {
        let rows = try await connection.query(
            Query(
                "claim",
                """
                WITH slot AS MATERIALIZED (
                    SELECT s.tenant_key FROM adminexport.tenant_slot s
                    WHERE s.running < $2::int
                        AND EXISTS (SELECT FROM adminexport.job q
                                    WHERE q.tenant_key = s.tenant_key AND q.state = 'queued' AND q.run_after <= now())
                        AND NOT EXISTS (SELECT FROM adminexport.setting WHERE key = 'paused' AND value = 'true')
                        AND NOT EXISTS (SELECT FROM adminexport.worker WHERE id = $1::uuid AND drain_requested)
                    ORDER BY s.turn, s.tenant_key LIMIT 1 FOR UPDATE OF s SKIP LOCKED
                ), picked AS MATERIALIZED (
                    SELECT q.id FROM adminexport.job q JOIN slot USING (tenant_key)
                    WHERE q.state = 'queued' AND q.run_after <= now()
                    ORDER BY q.priority DESC, q.id LIMIT 1 FOR UPDATE OF q SKIP LOCKED
                ), claimed AS (
                    UPDATE adminexport.job j SET state = 'running', worker = $1::uuid, epoch = j.epoch + 1,
                        attempt = j.attempt + 1, started_at = coalesce(j.started_at, clock_timestamp()),
                        deadline_at = clock_timestamp() + $4::interval, revision = j.revision + 1,
                        error_kind = NULL, error_message = NULL
                    FROM picked WHERE j.id = picked.id AND j.state = 'queued' RETURNING j.*
                ), leased AS (
                    INSERT INTO adminexport.lease (job, epoch, expires_at)
                    SELECT id, epoch, clock_timestamp() + $3::interval FROM claimed
                ), counted AS (
                    UPDATE adminexport.tenant_slot s SET running = s.running + 1, turn = nextval('adminexport.turn')
                    FROM claimed c WHERE s.tenant_key = c.tenant_key
                ), \(Self.audit("started", "claimed", reason: "NULL"))
                SELECT c.id, c.epoch, c.attempt, c.tenant_key, c.tenant_slug, c.actor_key, c.options::text AS options,
                    extract(year FROM c.created_at AT TIME ZONE 'UTC')::int AS year,
                    extract(month FROM c.created_at AT TIME ZONE 'UTC')::int AS month
                FROM claimed c
                """, [.text(worker), .integer(tenantLimit), .interval(lease), .interval(deadline)]))
        return try rows.first.map { try ClaimedJob($0) }
    }

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

    // MARK: Rescue

    /// Takes one job from a worker that let its lease run out. Whoever claims does this first; there is no leader.
    ///
    /// After a restart of the server every lease gets its full length once more, so that a restart alone costs no worker
    /// its job.
    func sweep(on connection: isolated PostgresConnection) async throws -> Bool {
        let changes = """
            state = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
                         WHEN j.crashes + 1 >= \(Self.mostCrashes) THEN 'failed' ELSE 'queued' END,
            finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR j.crashes + 1 >= \(Self.mostCrashes)
                               THEN clock_timestamp() END,
            error_kind = CASE WHEN j.cancel_requested_at IS NULL AND j.crashes + 1 >= \(Self.mostCrashes)
                              THEN 'worker-crashed' END,
            error_message = CASE WHEN j.cancel_requested_at IS NULL AND j.crashes + 1 >= \(Self.mostCrashes)
                                 THEN 'The worker stopped without a word \(Self.mostCrashes) times. Ask the operators.' END,
            crashes = j.crashes + 1, run_after = clock_timestamp()
            """
        let rows = try await connection.query(
            Query(
                "sweep",
                """
                WITH held AS MATERIALIZED (
                    SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                    WHERE j.state = 'running' AND l.expires_at < clock_timestamp()
                        AND pg_postmaster_start_time() + $1::interval < clock_timestamp()
                    LIMIT 1 FOR UPDATE OF j, l SKIP LOCKED
                ), \(Self.release(changes)),
                \(Self.audit(event: "CASE WHEN state <> 'queued' THEN state END", "changed", reason: "error_kind"))
                SELECT id FROM changed
                """, [.interval(lease)]))
        return !rows.isEmpty
    }

    // MARK: Workers

    func register(
        worker: String, host: String, version: String, on connection: isolated PostgresConnection
    ) async throws {
        try await connection.query(
            Query(
                "register-worker",
                """
                INSERT INTO adminexport.worker (id, host, version) VALUES ($1::uuid, $2, $3)
                ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
                """, [.text(worker), .text(host), .text(version)]))
        // Rows of workers that were killed. Nothing refers to them; a job of theirs is found by its lease.
        try await connection.query(
            Query("forget-workers", "DELETE FROM adminexport.worker WHERE seen_at < clock_timestamp() - interval '1 day'"))
        try await connection.query(Query("audit-partitions", "SELECT adminexport.ensure_audit_partitions() IS NULL AS done"))
    }

    func unregister(worker: String, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query("unregister-worker", "DELETE FROM adminexport.worker WHERE id = $1::uuid", [.text(worker)]))
    }
}
