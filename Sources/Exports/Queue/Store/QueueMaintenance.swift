internal import Postgres

/// The work that any worker does for the whole queue. There is no leader.
struct QueueMaintenance: Sendable {
    /// The duration of a lease.
    let lease: Duration

    // MARK: Rescuing jobs

    /// Takes one job from a worker that does not end it.
    ///
    /// After a restart of the server every lease is valid for its full duration once more, so a restart alone takes no job from a
    /// worker. Uses the index `job_running`. The statement skips locked rows, so it never waits.
    ///
    /// - Parameters:
    ///   - worker: the worker that sweeps.
    ///   - own: jobs that this worker runs or is about to end. After a long suspension it must hand them back itself, without a crash.
    func sweep(
        _ reason: SweepReason, worker: WorkerID = WorkerID(), except own: [JobID] = [],
        on connection: isolated PostgresConnection
    ) async throws -> JobState? {
        try await connection.query(sweepQuery(reason, worker: worker, except: own)).first.map { try JobState($0) }
    }

    func sweepQuery(_ reason: SweepReason, worker: WorkerID, except own: [JobID]) -> Query {
        var parameters = Parameters([.interval(lease), .texts(own.map(\.description)), .text(worker.description)])
        // A row that the statement sees running had its lease inserted by the same transaction. So a lease that it does not see
        // is gone.
        let condition =
            switch reason {
            case .leaseOver: "l.expires_at < clock_timestamp()"
            case .sessionOver: WorkerRegistry.isDead(seenBy: "$3")
            case .overdue: "j.deadline_at < now() - $1::interval"
            case .leaseMissing: "NOT EXISTS (SELECT FROM adminexport.lease l WHERE l.job = j.id)"
            }
        let held = Self.running(
            """
            \(condition) AND pg_postmaster_start_time() + $1::interval < clock_timestamp()
                    AND (j.worker <> $3::uuid OR j.id <> ALL ($2::uuid[]))
            """, hasLease: reason != .leaseMissing)
        let failure: JobFailure =
            switch reason {
            case .leaseOver, .leaseMissing: .workerCrashed
            case .sessionOver: .workerLost
            case .overdue: .deadlineExceeded
            }
        let sql = reason.exit.statement(of: held, failure: failure, &parameters)
        return Query("sweep", sql, parameters.values)
    }

    /// Hands back a job that the worker has claimed without knowing it, because the answer was lost. The attempt does not count.
    ///
    /// - Parameter own: jobs that the worker knows.
    /// - Returns: whether there was one.
    func returnUnknown(of worker: WorkerID, except own: [JobID], on connection: isolated PostgresConnection) async throws
        -> Bool
    {
        var parameters = Parameters([.text(worker.description), .texts(own.map(\.description))])
        let sql = AttemptEnd.handedBack.exit.statement(
            of: Self.running("j.worker = $1::uuid AND j.id <> ALL ($2::uuid[])"), &parameters)
        return try await !connection.query(Query("return-unknown", sql, parameters.values)).isEmpty
    }

    /// One running job on a condition, with its lease and its tenant's slot, locked unless others hold a lock.
    private static func running(_ condition: String, hasLease: Bool = true) -> String {
        """
        SELECT j.id, j.tenant_key, \(hasLease ? "l.seq" : "0 AS seq") FROM adminexport.job j
                \(hasLease ? "JOIN adminexport.lease l ON l.job = j.id " : "")JOIN adminexport.tenant_slot s ON s.tenant_key = j.tenant_key
            WHERE j.state = 'running' AND \(condition)
            LIMIT 1 FOR UPDATE OF j, \(hasLease ? "l, " : "")s SKIP LOCKED
        """
    }

    // MARK: Cleaning up

    /// Deletes the rows of dead workers and creates the audit trail's next partition.
    ///
    /// A dump or an open session may hold the locks that the partition needs for hours, and a statement that waits for a lock blocks
    /// all statements behind it. So this statement gives up after 200 ms. Later calls have a month to succeed.
    func cleanUp(on connection: isolated PostgresConnection) async throws {
        try await connection.script("lock-timeout", "SET LOCAL lock_timeout = 200")
        try await WorkerRegistry().forgetDead(on: connection)
        try await connection.query(Query("audit-partitions", "SELECT adminexport.ensure_audit_partitions() IS NULL AS done"))
    }

    /// Corrects slots that count the running jobs wrongly, or are not ready although a job can be claimed. Only a manual change of
    /// the tables can cause this, and it would block the tenant's jobs for good.
    ///
    /// - Returns: how many slots were wrong or missing.
    func recount(on connection: isolated PostgresConnection) async throws -> Int {
        let running = "(SELECT count(*) FROM adminexport.job j WHERE j.state = 'running' AND j.tenant_key = s.tenant_key)"
        let claimable = "j.state = 'queued' AND NOT j.delayed"
        let isOverlooked = """
            EXISTS (SELECT FROM adminexport.job j WHERE j.tenant_key = s.tenant_key AND \(claimable) AND (NOT s.ready OR j.id < s.head))
            """
        let isWrong = "(s.running <> \(running) OR \(isOverlooked))"
        // Each start and each end of a job locks the slot's row. So the next statement, under this lock, counts exactly.
        let suspects = try await connection.query(
            Query(
                "suspect-slots",
                """
                SELECT s.tenant_key FROM adminexport.tenant_slot s WHERE \(isWrong)
                LIMIT 16 FOR UPDATE OF s SKIP LOCKED
                """))
        // A sweep locks the slot, so it skips a job without one.
        let missing = try await connection.query(
            Query(
                "missing-slots",
                """
                INSERT INTO adminexport.tenant_slot (tenant_key, running, ready)
                SELECT j.tenant_key, count(*) FILTER (WHERE j.state = 'running'), bool_or(\(claimable)) FROM adminexport.job j
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
                UPDATE adminexport.tenant_slot s SET running = \(running), ready = s.ready OR \(isOverlooked),
                    head = CASE WHEN \(isOverlooked) THEN '\(Self.lowestID)' ELSE s.head END
                WHERE s.tenant_key = ANY ($1::text[]) AND \(isWrong) RETURNING 1 AS one
                """, [.texts(keys)])
        ).count + missing
    }

    private static let lowestID = "00000000-0000-0000-0000-000000000000"
}
