internal import Postgres

/// Claims and leases: the queue as the worker of a job sees it.
///
/// Every statement guards its writes: by the job's epoch, by its state, and by a lease that is valid by the database's clock. A
/// statement that changes nothing tells the worker that the job is no longer its own.
package struct LeaseStore: Sendable {
    let tenantLimit: @Sendable () -> Int
    let lease: Duration
    let deadline: Duration
    private let retention: Duration

    /// - Parameters:
    ///   - tenantLimit: jobs of one tenant that may run at a time. Each claim asks again.
    ///   - lease: how long a lease is valid after the claim and after each renewal.
    ///   - deadline: how long an attempt may take.
    ///   - retention: how long a workbook is kept.
    package init(tenantLimit: @escaping @Sendable () -> Int, lease: Duration, deadline: Duration, retention: Duration) {
        self.tenantLimit = tenantLimit
        self.lease = lease
        self.deadline = deadline
        self.retention = retention
    }

    // MARK: Claiming

    /// The answer to a claim.
    enum Claim: Sendable {
        case job(ClaimedJob)
        /// It was the tenant's turn, and the tenant has no job that nobody holds. Another tenant may have one.
        case nothing(tenant: String)
        /// No tenant may start a job now.
        ///
        /// - Parameter isLocked: whether a tenant could, but other transactions have locked it.
        case noTurn(isLocked: Bool)

        var job: ClaimedJob? { if case .job(let job) = self { job } else { nil } }

        init(_ rows: [Row]) throws {
            guard let row = rows.first else {
                throw PostgresError(.unexpectedResult, "no answer to a claim", query: "claim")
            }
            guard let tenant: String = try row.decodeIfPresent("turn_of") else {
                self = .noTurn(isLocked: try row.decode("is_ready"))
                return
            }
            guard try row.decodeIfPresent("epoch", as: Int.self) != nil else {
                self = .nothing(tenant: tenant)
                return
            }
            self = .job(try ClaimedJob(row))
        }
    }

    /// Claims the first job of the tenant whose turn it is; see ``Turns``.
    ///
    /// - Parameter recent: tenants that this worker served last; see ``Turns``.
    func claim(worker: WorkerID, recent: [String] = [], on connection: isolated PostgresConnection) async throws -> Claim {
        try Claim(await connection.query(claimQuery(worker: worker, recent: recent)))
    }

    /// The statement of a claim. The transaction of a start or of an end can also run it.
    func claimQuery(worker: WorkerID, recent: [String]) -> Query {
        Query(
            "claim", Self.claimSQL,
            [.text(worker.description), .integer(tenantLimit()), .interval(lease), .interval(deadline), .texts(recent)])
    }

    static let claimSQL = """
        WITH RECURSIVE \(Turns.best(recent: "$5")), \(Turns.picked(recent: "$5")), claimed AS (
            UPDATE adminexport.job j SET state = 'running', worker = $1::uuid, epoch = j.epoch + 1,
                attempt = j.attempt + 1, started_at = coalesce(j.started_at, picked.at), attempt_started_at = picked.at,
                deadline_at = picked.at + $4::interval, revision = j.revision + 1,
                error_kind = NULL, error_message = NULL
            FROM picked WHERE j.ctid = picked.place RETURNING j.*
        ), leased AS (
            INSERT INTO adminexport.lease (job, epoch, expires_at)
            SELECT id, epoch, clock_timestamp() + $3::interval FROM claimed
        ), counted AS (
            -- Also if the tenant has no job, or it is locked: the next claim tries another tenant first.
            UPDATE adminexport.tenant_slot s SET running = s.running + (SELECT count(*) FROM claimed),
                turn = nextval('adminexport.turn')
            FROM slot WHERE s.tenant_key = slot.tenant_key
        ), audited AS (
            \(Audit.insertion(of: "'started'", jobs: "claimed", details: Audit.attemptDetails))
        )
        SELECT ready.is_ready, slot.tenant_key AS turn_of, c.id, c.epoch, c.attempt, c.tenant_key, c.tenant_slug, c.actor_key, c.options::text AS options,
            c.created_at, c.started_at, c.attempt_started_at, c.revision,
            (extract(epoch FROM clock_timestamp() - greatest(c.created_at, c.run_after)) * 1000)::bigint AS waited_ms,
            extract(year FROM c.created_at AT TIME ZONE 'UTC')::int AS year,
            extract(month FROM c.created_at AT TIME ZONE 'UTC')::int AS month
        FROM (SELECT EXISTS (SELECT FROM best) AS is_ready) ready LEFT JOIN slot ON true LEFT JOIN claimed c ON true
        """

    // MARK: Polling

    /// What a poll is about.
    struct Poll: Sendable {
        let worker: WorkerID
        /// How long the row of a finished job is kept.
        let history: Duration
        /// Jobs that the worker itself runs. Their leases are not reported.
        var own: [JobID] = []
        /// Tenants that the worker served last; see ``Turns``.
        var recent: [String] = []
        /// Tenants of which the poll takes `ready` if they have no job to claim.
        var settling: [String] = []
        /// How many of the first tenants that are ready it treats likewise.
        var settlingFirst = 0
        /// Looks for the next tenant from the beginning, and moves the lower bound of places down if one is below it.
        var isThorough = true
        /// Written in the same statement, to report that the worker is alive. Without it and without tenants to settle, the statement
        /// writes nothing.
        var registration: WorkerRegistration?
    }

    /// Reads what there is to do and to wait for. Touches a few index entries, however long the history is.
    func poll(_ poll: Poll, on connection: isolated PostgresConnection) async throws -> QueueSnapshot {
        var parameters = Parameters([
            .text(poll.worker.description), .integer(tenantLimit()), .interval(lease), .interval(poll.history),
            .texts(poll.own.map(\.description)), .texts(poll.recent),
        ])
        let settling =
            poll.settling.isEmpty
            ? nil : Turns.settle(parameters.add(.texts(poll.settling)), first: parameters.add(.integer(poll.settlingFirst)))
        let sql = Self.pollSQL(
            isThorough: poll.isThorough, settling: settling,
            registering: poll.registration.map { WorkerRegistry.upsert($0, &parameters) })
        let rows = try await connection.query(Query("poll", sql, parameters.values))
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "no snapshot of the queue", query: "poll") }
        return try QueueSnapshot(row)
    }

    /// Conditions compare with now() if they need an index: clock_timestamp() may differ for each row, so no index serves it. The
    /// statement finds what is due as the first row of an index's order. For an EXISTS the planner may read the whole history.
    static func pollSQL(isThorough: Bool = true, settling: String? = nil, registering upsert: String? = nil) -> String {
        let turn = isThorough ? Turns.best(recent: "$6", from: Turns.firstOfAll) : Turns.best(recent: "$6")
        return """
            WITH RECURSIVE \(upsert.map { "registered AS (\($0)), " } ?? "")\(turn), foreign_lease AS (
                SELECT l.job, l.expires_at, (SELECT j.worker FROM adminexport.job j WHERE j.id = l.job) AS worker FROM adminexport.lease l
                WHERE l.job <> ALL ($5::uuid[]) OR (SELECT j.worker FROM adminexport.job j WHERE j.id = l.job) <> $1::uuid
            )
            SELECT EXISTS (SELECT FROM best) AS claimable, \(isThorough ? Turns.lowersBound : "NULL") AS lowered,
                \(settling ?? "NULL")::text AS settled,
                (SELECT (extract(epoch FROM greatest(min(expires_at), pg_postmaster_start_time() + $3::interval)
                                 - clock_timestamp()) * 1000)::bigint
                 FROM foreign_lease HAVING count(*) > 0) AS lease_ms,
                (SELECT (extract(epoch FROM run_after - clock_timestamp()) * 1000)::bigint FROM adminexport.job
                 WHERE state = 'queued' AND delayed ORDER BY run_after LIMIT 1) AS retry_ms,
                coalesce((SELECT expires_at < now() FROM adminexport.job WHERE state = 'succeeded' AND NOT hold
                          ORDER BY expires_at LIMIT 1), false)
                    OR (SELECT id FROM adminexport.job WHERE state = 'expired' AND archive_epoch IS NOT NULL
                        ORDER BY id LIMIT 1) IS NOT NULL
                    OR coalesce((SELECT finished_at < now() - $4::interval FROM adminexport.job
                                 WHERE state IN ('failed', 'cancelled', 'expired') AND archive_epoch IS NULL AND NOT hold
                                 ORDER BY finished_at LIMIT 1), false) AS maintenance,
                pg_postmaster_start_time() + $3::interval < clock_timestamp()
                    AND (EXISTS (SELECT FROM foreign_lease WHERE expires_at < clock_timestamp())
                         OR EXISTS (SELECT FROM foreign_lease l JOIN adminexport.job j ON j.id = l.job WHERE \(WorkerRegistry.isDead(seenBy: "$1")))
                         OR EXISTS (SELECT FROM adminexport.job j WHERE j.state = 'running' AND (j.worker <> $1::uuid OR j.id <> ALL ($5::uuid[]))
                                    AND (j.deadline_at < now() - $3::interval
                                         OR NOT EXISTS (SELECT FROM adminexport.lease l WHERE l.job = j.id)))) AS sweep,
                EXISTS (SELECT FROM foreign_lease WHERE worker = $1::uuid) AS unknown,
                EXISTS (SELECT FROM adminexport.worker WHERE id = $1::uuid AND drain_requested) AS draining,
                \(upsert == nil ? "false" : "(SELECT is_new FROM registered)") AS is_new
            """
    }

    // MARK: Holding a lease

    /// The answer to the renewal of a lease.
    enum Renewal: Sendable, Equatable {
        case held
        case cancelRequested
        case overdue
        /// The lease has expired, or another worker has the job.
        case lost

        fileprivate init(_ row: Row?) throws {
            guard let row else {
                self = .lost
                return
            }
            self = try row.decode("cancel") ? .cancelRequested : row.decode("overdue") ? .overdue : .held
        }
    }

    /// Renews the lease and stores the progress, in one heap-only update.
    func renew(
        _ job: ClaimedJob, rowsDone: Int, rowsTotal: Int?, on connection: isolated PostgresConnection
    ) async throws -> Renewal {
        try Renewal(
            await connection.query(
                Query(
                    "renew", Self.renewSQL,
                    [
                        .text(job.id.description), .integer(job.epoch), .interval(lease), .integer(rowsDone),
                        .text(rowsTotal.map(String.init)),
                    ])
            ).first)
    }

    static let renewSQL = """
        UPDATE adminexport.lease l SET expires_at = clock_timestamp() + $3::interval, rows_done = $4::bigint,
            rows_total = $5::bigint, seq = l.seq + 1
        FROM adminexport.job j
        WHERE l.job = $1::uuid AND l.epoch = $2::int AND l.expires_at > clock_timestamp()
            AND j.id = l.job AND j.epoch = $2::int AND j.state = 'running'
        RETURNING j.cancel_requested_at IS NOT NULL AS cancel, j.deadline_at < clock_timestamp() AS overdue
        """

    /// Whether the job was cancelled or taken away. Writes nothing.
    func peek(_ job: ClaimedJob, on connection: isolated PostgresConnection) async throws -> Renewal {
        try Renewal(
            await connection.query(
                Query(
                    "peek",
                    """
                    SELECT cancel_requested_at IS NOT NULL AS cancel, deadline_at < clock_timestamp() AS overdue
                    FROM adminexport.job WHERE id = $1::uuid AND epoch = $2::int AND state = 'running'
                    """, [.text(job.id.description), .integer(job.epoch)])
            ).first)
    }

    // MARK: Ending an attempt

    /// Ends an attempt, in one statement.
    ///
    /// - Parameter worker: the worker that had the job; the notification names it.
    /// - Returns: the job after it; nil if the job was no longer the worker's.
    func end(
        _ job: ClaimedJob, _ end: AttemptEnd, of worker: WorkerID, on connection: isolated PostgresConnection
    ) async throws -> JobRecord? {
        try await connection.query(endQuery(job, end, of: worker)).first.map { try JobRecord($0) }
    }

    /// Ends an attempt and claims a job for its slot. Both take one commit, unless a dedicated session cannot prepare both statements.
    ///
    /// - Parameter recent: tenants that this worker served last; see ``Turns``.
    /// - Returns: the job after the end; nil if the job was no longer the worker's. The claim is made in this case, too.
    func end(
        _ job: ClaimedJob, _ end: AttemptEnd, thenClaim recent: [String], by worker: WorkerID,
        on connection: isolated PostgresConnection
    ) async throws -> (ended: JobRecord?, next: Claim) {
        let answers = try await connection.query(
            all: [endQuery(job, end, of: worker), claimQuery(worker: worker, recent: recent)])
        return (try answers[0].first.map { try JobRecord($0) }, try Claim(answers[1]))
    }

    private func endQuery(_ job: ClaimedJob, _ end: AttemptEnd, of worker: WorkerID) -> Query {
        var parameters = Parameters([.text(job.id.description), .integer(job.epoch)])
        var assignments: [String] = []
        var failure: JobFailure?
        var policy: AttemptEnd.RetryPolicy?
        var showsFailure = false
        // An end that may put the job back into the queue wakes workers; the others wake those who wait for the job.
        var notification = QueueNotification.ended
        switch end {
        case .succeeded(let result):
            assignments = [
                "expires_at = clock_timestamp() + \(parameters.add(.interval(retention)))::interval",
                "rows = \(parameters.add(.integer(result.rows)))::bigint",
                "sheets = \(parameters.add(.integer(result.sheets)))::int",
                "size = \(parameters.add(.integer(result.size)))::bigint",
                "sha256 = decode(\(parameters.add(.text(result.sha256))), 'hex')",
                "scope_digest = decode(\(parameters.add(.text(result.scopeDigest))), 'hex')",
                "file_date = \(parameters.add(.text(result.day)))::date",
                "warnings = \(parameters.add(.text(result.warnings)))::jsonb", "archive_epoch = j.epoch",
            ]
            if let columns = result.columns {
                assignments += [
                    "columns = \(parameters.add(.texts(columns)))::text[]",
                    "attributes = \(parameters.add(.texts(result.attributes)))::text[]",
                    "column_permissions = \(parameters.add(.texts(result.columnPermissions)))::text[]",
                ]
            }
            if let receipt = result.receipt { assignments.append("receipt = \(parameters.add(.text(receipt)))::text") }
        case .failed(let reason): failure = reason
        case .cancelled: assignments = ["cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp())"]
        case .handedBack: notification = .work
        case .returned(let retry): (failure, policy, notification) = (.workerSuspended, retry, .work)
        case .retried(let reason, let retry): (failure, showsFailure, policy) = (reason, true, retry)
        }
        let held = """
            SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                WHERE j.id = $1::uuid AND j.epoch = $2::int AND j.state = 'running'
                    AND l.epoch = $2::int\(end.needsLease ? " AND l.expires_at > clock_timestamp()" : "")
                FOR UPDATE OF j, l
            """
        let sql = end.exit.statement(
            of: held, setting: assignments, failure: failure, showsFailure: showsFailure, policy: policy,
            returning: "\(JobRecord.columns), \(notification.sql(from: parameters.add(.text(worker.description))))",
            &parameters)
        return Query(end.name, sql, parameters.values)
    }

    /// Whether the row names the file of this epoch: the question after the answer to ``end(_:_:of:on:)`` was lost. Locks the row, to
    /// wait for a commit that is still under way.
    func isPublished(_ job: ClaimedJob, on connection: isolated PostgresConnection) async throws -> Bool {
        let rows = try await connection.query(
            Query(
                "is-published",
                "SELECT archive_epoch FROM adminexport.job WHERE id = $1::uuid FOR UPDATE", [.text(job.id.description)]))
        return try rows.first?.decodeIfPresent("archive_epoch") == job.epoch
    }
}

/// The state of the queue for a worker that has claimed nothing.
struct QueueSnapshot: Sendable {
    /// There is a job to claim.
    let isClaimable: Bool
    /// The time until the first lease of another worker expires unless it is renewed; nil if no job runs. Negative after expiry.
    let untilLeaseEnds: Duration?
    /// The time until the next job that waits for another attempt may be claimed. Negative if it is due.
    let untilRetry: Duration?
    /// There are workbooks to expire, files to remove, or rows to delete.
    let isMaintenanceDue: Bool
    /// There is a job to take from a worker that is dead or hangs.
    let isSweepDue: Bool
    let isDraining: Bool
    /// The database records a running job of this worker that the poll did not name.
    var hasUnknown = false
    /// The registration made a new row.
    var isNewRow = false
}

extension QueueSnapshot {
    fileprivate init(_ row: Row) throws {
        func duration(_ column: String) throws -> Duration? {
            try row.decodeIfPresent(column, as: Int.self).map { .milliseconds($0) }
        }
        self.init(
            isClaimable: try row.decode("claimable"), untilLeaseEnds: try duration("lease_ms"),
            untilRetry: try duration("retry_ms"), isMaintenanceDue: try row.decode("maintenance"),
            isSweepDue: try row.decode("sweep"), isDraining: try row.decode("draining"),
            hasUnknown: try row.decode("unknown"), isNewRow: try row.decode("is_new"))
    }
}
