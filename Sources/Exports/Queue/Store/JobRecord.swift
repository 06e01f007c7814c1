package import Postgres

/// A job as its row and its lease are at one moment.
package struct JobRecord: Sendable {
    /// The id, a UUID of version 7. Ids increase with time.
    package let id: JobID
    /// The tenant's key in the directory, as text.
    package let tenantKey: String
    /// The key of the actor who started the job, as text.
    package let actorKey: String
    /// The tenant's slug when the job was started; a label for people.
    package let tenantSlug: String
    /// The actor's e-mail address when the job was started; a label for people.
    package let actorEmail: String
    /// The export's options as a JSON object. Only the runner interprets it.
    package let options: String
    /// The state. A succeeded job whose workbook has expired by the clock counts as expired.
    package private(set) var state: JobState
    /// The fencing token: each claim increases it by one.
    package private(set) var epoch: Int
    /// Attempts so far. An attempt that was handed back does not count.
    package private(set) var attempt: Int
    let crashes: Int
    let losses: Int
    /// Each visible change increases it, progress included.
    package private(set) var revision: Int
    /// Whether a caller has asked to cancel the job.
    package let isCancelRequested: Bool
    /// A legal hold keeps the file.
    package var isHeld: Bool { hold != nil }
    /// The legal hold; nil if there is none.
    package let hold: Hold?

    /// A legal hold. The members are nil if a program of an earlier version began it.
    package struct Hold: Sendable, Hashable {
        /// When the hold began, or was changed last.
        package let since: Timestamp?
        /// The user ID of the process that began or changed it.
        package let uid: Int?
        /// Why, in the words of the operator; nil also if the operator gave no reason.
        package let reason: String?
        /// When the hold ends by itself; nil if it does not.
        package let until: Timestamp?
    }
    /// When the job was started.
    package let createdAt: Timestamp
    /// The start of the first attempt.
    package private(set) var startedAt: Timestamp?
    /// The start of the current or last attempt; nil also if a program before schema version 4 started it.
    package private(set) var attemptStartedAt: Timestamp?
    /// When the job became final; nil before that.
    package let finishedAt: Timestamp?
    /// When the workbook expires or expired, unless it is held; nil if no attempt has made a workbook.
    package let expiresAt: Timestamp?
    /// Rows that the attempt has written, as of the last heartbeat; the rows of the workbook once it is finished.
    package let rowsDone: Int
    /// Rows of the export; nil until the snapshot has counted them.
    package let rowsTotal: Int?
    /// 1 for the tenant's next job; nil unless the job is queued.
    package private(set) var queuePosition: Int?
    /// The workbook; nil if the job has not made one.
    package let result: JobResult?
    /// The epoch of the file that the row names; nil if there is none. It remains after expiry until the file is removed.
    package let archiveEpoch: Int?
    /// Whether the row has a receipt.
    package let hasReceipt: Bool
    /// Values that the export could not write unchanged, as JSON: `[{"kind", "count"}]`.
    package let warnings: String
    /// Why the job failed; for a queued job, why its last attempt failed.
    package let failure: JobFailure?
    /// Year and month of `createdAt` in UTC.
    package let createdMonth: (year: Int, month: Int)

    /// Whether a workbook has expired by the clock, as SQL. The service shows such a job as expired, and does not deliver its
    /// file, before a worker changes the row.
    static let isOverdue = "(j.state = 'succeeded' AND NOT j.hold AND j.expires_at < clock_timestamp())"

    /// The select list that ``init(_:)`` reads, for `adminexport.job j LEFT JOIN adminexport.lease l`.
    package static let columns = """
        j.id, j.tenant_key, j.actor_key, j.tenant_slug, j.actor_email, j.options::text AS options,
        CASE WHEN \(isOverdue) THEN 'expired' ELSE j.state END AS state, j.epoch, j.attempt, j.crashes, j.losses, j.hold,
        j.hold_since, j.hold_uid, j.hold_reason, j.hold_until,
        j.revision + coalesce(l.seq, 0) AS revision, j.cancel_requested_at IS NOT NULL AS cancel_requested,
        j.created_at, j.started_at, coalesce(j.attempt_started_at, CASE j.epoch WHEN 1 THEN j.started_at END) AS attempt_started_at,
        j.finished_at, j.expires_at, coalesce(l.rows_done, j.rows, 0) AS rows_done,
        coalesce(l.rows_total, j.rows) AS rows_total, j.rows, j.sheets, j.size, encode(j.sha256, 'hex') AS sha256,
        encode(j.scope_digest, 'hex') AS scope_digest, j.columns, j.attributes, j.column_permissions,
        to_char(j.file_date, 'YYYY-MM-DD') AS file_date, j.archive_epoch, j.receipt IS NOT NULL AS has_receipt,
        j.warnings::text AS warnings, j.error_kind, j.error_message,
        extract(year FROM j.created_at AT TIME ZONE 'UTC')::int AS year,
        extract(month FROM j.created_at AT TIME ZONE 'UTC')::int AS month,
        CASE j.state WHEN 'queued' THEN 1 + (SELECT count(*) FROM adminexport.job q
            WHERE q.tenant_key = j.tenant_key AND q.state = 'queued'
                AND (q.priority > j.priority OR q.priority = j.priority AND q.id < j.id)) END AS queue_position
        """

    /// The job as a value of the rules. The lease of a running job counts as valid: no caller's event depends on it.
    var machine: JobMachine {
        JobMachine(
            state: state, epoch: epoch, attempt: attempt, crashes: crashes, losses: losses,
            isCancelRequested: isCancelRequested,
            archiveEpoch: archiveEpoch, isHeld: isHeld, lease: state == .running ? .valid : nil)
    }

    /// The size in bytes of its texts that have no fixed maximum.
    var textSize: Int {
        ([tenantKey, actorKey, tenantSlug, actorEmail, options, warnings, failure?.message ?? ""] + (result?.columns ?? []))
            .reduce(0) { $0 + $1.utf8.count }
    }

    /// The FROM clause for ``columns``.
    package static let source = "adminexport.job j \(leaseJoin)"

    /// The lease of a job that runs. For other jobs, PostgreSQL does not read the table.
    static let leaseJoin = "LEFT JOIN adminexport.lease l ON l.job = CASE j.state WHEN 'running' THEN j.id END"

    /// Reads the columns of ``columns``.
    ///
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for a row of another shape, or a state that this version does not
    ///   know.
    package init(_ row: Row) throws {
        id = try JobID(row)
        state = try JobState(row)
        tenantKey = try row.decode("tenant_key")
        actorKey = try row.decode("actor_key")
        tenantSlug = try row.decode("tenant_slug")
        actorEmail = try row.decode("actor_email")
        options = try row.decode("options")
        epoch = try row.decode("epoch")
        attempt = try row.decode("attempt")
        crashes = try row.decode("crashes")
        losses = try row.decode("losses")
        hold =
            try row.decode("hold")
            ? Hold(
                since: row.decodeIfPresent("hold_since"), uid: row.decodeIfPresent("hold_uid"),
                reason: row.decodeIfPresent("hold_reason"), until: row.decodeIfPresent("hold_until")) : nil
        revision = try row.decode("revision")
        isCancelRequested = try row.decode("cancel_requested")
        createdAt = try row.decode("created_at")
        startedAt = try row.decodeIfPresent("started_at")
        attemptStartedAt = try row.decodeIfPresent("attempt_started_at")
        finishedAt = try row.decodeIfPresent("finished_at")
        expiresAt = try row.decodeIfPresent("expires_at")
        rowsDone = try row.decode("rows_done")
        rowsTotal = try row.decodeIfPresent("rows_total")
        queuePosition = try row.decodeIfPresent("queue_position")
        archiveEpoch = try row.decodeIfPresent("archive_epoch")
        hasReceipt = try row.decode("has_receipt")
        warnings = try row.decode("warnings")
        createdMonth = (try row.decode("year"), try row.decode("month"))
        result = try JobResult(row)
        failure = try row.decodeIfPresent("error_kind", as: String.self).map { kind in
            JobFailure(kind: kind, message: try row.decode("error_message"))
        }
    }
}

extension JobRecord {
    /// Returns the job as a claim in the same transaction has changed it.
    func claimed(as claim: ClaimedJob) -> JobRecord {
        var job = self
        (job.state, job.epoch, job.attempt, job.revision) = (.running, claim.epoch, claim.attempt, claim.revision)
        (job.startedAt, job.attemptStartedAt) = claim.started
        job.queuePosition = nil
        return job
    }
}

/// A job that a worker holds.
package struct ClaimedJob: Sendable {
    /// The id, a UUID of version 7.
    package let id: JobID
    /// The fencing token of this claim, which every write of the worker must match.
    package let epoch: Int
    /// The number of this attempt, from 1.
    package let attempt: Int
    /// The tenant's key in the directory, as text.
    package let tenantKey: String
    /// The tenant's slug when the job was started; a label for people.
    package let tenantSlug: String
    /// The key of the actor who started the job, as text.
    package let actorKey: String
    /// The export's options as a JSON object.
    package let options: String
    /// When the job was started.
    package let createdAt: Timestamp
    /// Year and month of `createdAt` in UTC.
    package let createdMonth: (year: Int, month: Int)

    /// When the job's first attempt and this one started.
    let started: (first: Timestamp, this: Timestamp)
    /// The revision of the job's row after the claim.
    let revision: Int
    /// The time from when the job could be claimed until it was.
    let waited: Duration
    let claimedAt = ContinuousClock.now

    init(_ row: Row) throws {
        id = try JobID(row)
        epoch = try row.decode("epoch")
        attempt = try row.decode("attempt")
        tenantKey = try row.decode("tenant_key")
        tenantSlug = try row.decode("tenant_slug")
        actorKey = try row.decode("actor_key")
        options = try row.decode("options")
        createdAt = try row.decode("created_at")
        started = (try row.decode("started_at"), try row.decode("attempt_started_at"))
        revision = try row.decode("revision")
        waited = .milliseconds(try row.decode("waited_ms", as: Int.self))
        createdMonth = (try row.decode("year"), try row.decode("month"))
    }
}

extension Identifier {
    /// The column `id`.
    init(_ row: Row) throws {
        guard let id = Self(try row.decode("id")) else {
            throw PostgresError(.unexpectedResult, "an id of the queue is not a UUID")
        }
        self = id
    }
}

extension JobState {
    /// The column `state`.
    init(_ row: Row) throws {
        guard let state = JobState(rawValue: try row.decode("state")) else {
            throw PostgresError(
                .unexpectedResult, "a job has a state that this version does not know; install a newer adminexport")
        }
        self = state
    }
}

extension JobResult {
    /// The columns of ``JobRecord/columns``; nil if the job has made nothing.
    fileprivate init?(_ row: Row) throws {
        guard let rows = try row.decodeIfPresent("rows", as: Int.self) else { return nil }
        self.init(
            rows: rows, sheets: try row.decode("sheets"), size: try row.decode("size"), sha256: try row.decode("sha256"),
            scopeDigest: try row.decode("scope_digest"), columns: try row.decodeIfPresent("columns"),
            attributes: try row.decodeIfPresent("attributes") ?? [],
            columnPermissions: try row.decodeIfPresent("column_permissions") ?? [], day: try row.decode("file_date"),
            warnings: try row.decode("warnings"))
    }
}
