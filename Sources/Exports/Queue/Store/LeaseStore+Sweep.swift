internal import Postgres

extension LeaseStore {
    /// Why a job is taken from its worker.
    enum SweepReason: Sendable, CaseIterable {
        /// The lease is over: the worker is dead, stopped, or cut off.
        case leaseOver
        /// A lease's time has passed since the deadline, and the worker still renews: it hangs.
        case overdue
        /// There is no lease, which only somebody's hand in the tables can do.
        case leaseMissing
    }

    /// Takes one job from a worker that does not end it. Whoever claims does this now and then; there is no leader.
    ///
    /// After a restart of the server every lease gets its full length once more, so that a restart alone costs no worker
    /// its job. Uses the index `job_running`. Row, lease and slot are locked or passed over: the sweep waits for nobody, whoever
    /// holds them and however long.
    ///
    /// - Parameters:
    ///   - worker: who sweeps.
    ///   - own: jobs that it runs itself or is about to end. One that was stopped for long must not take them from itself: it
    ///     hands them back, without a crash.
    func sweep(
        _ fault: SweepReason, worker: String = JobID().description, except own: [JobID] = [],
        on connection: isolated PostgresConnection
    ) async throws -> JobState? {
        let rows = try await connection.query(
            Query("sweep", Self.sweepSQL(fault), [.interval(lease), .texts(own.map(\.description)), .text(worker)]))
        return try rows.first.map { try JobState($0) }
    }

    /// Gives back a job that the worker has claimed without knowing it, since the answer got lost. No attempt is counted.
    ///
    /// - Parameter own: jobs of which it knows.
    func returnUnknown(
        of worker: String, except own: [JobID], on connection: isolated PostgresConnection
    ) async throws -> Bool {
        let changes = """
            state = CASE WHEN j.cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
            finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL THEN clock_timestamp() END,
            attempt = j.attempt - 1, run_after = clock_timestamp()
            """
        let rows = try await connection.query(
            Query(
                "return-unknown",
                """
                WITH held AS MATERIALIZED (
                    SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                        JOIN adminexport.tenant_slot s ON s.tenant_key = j.tenant_key
                    WHERE j.state = 'running' AND j.worker = $1::uuid AND j.id <> ALL ($2::uuid[])
                    LIMIT 1 FOR UPDATE OF j, l, s SKIP LOCKED
                ), \(Self.release(changes)), \(Self.audit(event: "CASE state WHEN 'cancelled' THEN 'cancelled' END", "changed"))
                SELECT id FROM changed
                """, [.text(worker), .texts(own.map(\.description))]))
        return !rows.isEmpty
    }

    static func sweepSQL(_ fault: SweepReason) -> String {
        let crashes = "j.crashes + 1 >= \(JobMachine.maxCrashes)"
        let crashed: (kind: String, message: String) = (
            "worker-crashed", "The worker stopped without a word \(JobMachine.maxCrashes) times. Ask the operators."
        )
        let overdue: (kind: String, message: String) = (
            "deadline-exceeded", "The export took longer than it may. Ask the operators."
        )
        let (isFailure, failure) = fault == .overdue ? ("true", overdue) : (crashes, crashed)
        let changes = """
            state = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN \(isFailure) THEN 'failed'
                         ELSE 'queued' END,
            finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR \(isFailure) THEN clock_timestamp() END,
            error_kind = CASE WHEN j.cancel_requested_at IS NULL AND \(isFailure) THEN '\(failure.kind)' END,
            error_message = CASE WHEN j.cancel_requested_at IS NULL AND \(isFailure) THEN '\(failure.message)' END,
            crashes = j.crashes + \(fault == .overdue ? 0 : 1), run_after = clock_timestamp()
            """
        return """
            WITH held AS MATERIALIZED (\(found(fault))
            ), \(release(changes)),
            \(audit(event: "CASE WHEN state <> 'queued' THEN state END", "changed", reason: "error_kind", details: attemptDetails))
            SELECT state FROM changed
            """
    }

    private static func found(_ fault: SweepReason) -> String {
        let grown =
            "pg_postmaster_start_time() + $1::interval < clock_timestamp() "
            + " AND (j.worker <> $3::uuid OR j.id <> ALL ($2::uuid[]))"
        return switch fault {
        case .leaseOver:
            """

            SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                JOIN adminexport.tenant_slot s ON s.tenant_key = j.tenant_key
            WHERE j.state = 'running' AND l.expires_at < clock_timestamp() AND \(grown)
            LIMIT 1 FOR UPDATE OF j, l, s SKIP LOCKED
            """
        case .overdue:
            """

            SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                JOIN adminexport.tenant_slot s ON s.tenant_key = j.tenant_key
            WHERE j.state = 'running' AND j.deadline_at < now() - $1::interval AND \(grown)
            LIMIT 1 FOR UPDATE OF j, l, s SKIP LOCKED
            """
        case .leaseMissing:
            // A row that this statement sees running had its lease inserted by the same transaction: one that it does not see
            // is gone.
            """

            SELECT j.id, j.tenant_key, 0 AS seq FROM adminexport.job j
                JOIN adminexport.tenant_slot s ON s.tenant_key = j.tenant_key
            WHERE j.state = 'running' AND NOT EXISTS (SELECT FROM adminexport.lease l WHERE l.job = j.id) AND \(grown)
            LIMIT 1 FOR UPDATE OF j, s SKIP LOCKED
            """
        }
    }
}
