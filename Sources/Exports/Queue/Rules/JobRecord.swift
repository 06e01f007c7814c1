package import Postgres

/// A job as its row and its lease show it at one moment.
package struct JobRecord: Sendable {
    package let id: JobID
    package let tenantKey: String
    package let actorKey: String
    package let tenantSlug: String
    package let actorEmail: String
    /// JSON; what it means is the runner's business.
    package let options: String
    package let state: JobState
    package let epoch: Int
    package let attempt: Int
    let crashes: Int
    /// Rises with every visible change.
    package let revision: Int
    package let isCancelRequested: Bool
    /// A legal hold keeps the file.
    package let isHeld: Bool
    package let createdAt: Timestamp
    /// Of the first attempt.
    package let startedAt: Timestamp?
    /// Of the attempt that runs, or ran last; nil also where that was before it was written down.
    package let attemptStartedAt: Timestamp?
    package let finishedAt: Timestamp?
    package let expiresAt: Timestamp?
    package let rowsDone: Int
    package let rowsTotal: Int?
    /// 1 for the tenant's next job; nil unless queued.
    package let queuePosition: Int?
    package let result: JobResult?
    package let archiveEpoch: Int?
    /// JSON: `[{"kind", "count"}]`.
    package let warnings: String
    package let failure: JobFailure?
    /// Year and month of `createdAt` in UTC.
    package let createdMonth: (year: Int, month: Int)

    /// Whether a job's time is up. From then on it is shown as expired and its file is not given out, whether or not a worker has
    /// changed the row yet.
    static let isOverdue = "(j.state = 'succeeded' AND NOT j.hold AND j.expires_at < clock_timestamp())"

    /// The select list that ``init(_:)`` reads, for `adminexport.job j LEFT JOIN adminexport.lease l`.
    package static let columns = """
        j.id, j.tenant_key, j.actor_key, j.tenant_slug, j.actor_email, j.options::text AS options,
        CASE WHEN \(isOverdue) THEN 'expired' ELSE j.state END AS state, j.epoch, j.attempt, j.crashes, j.hold,
        j.revision + coalesce(l.seq, 0) AS revision, j.cancel_requested_at IS NOT NULL AS cancel_requested,
        j.created_at, j.started_at, coalesce(j.attempt_started_at, CASE j.epoch WHEN 1 THEN j.started_at END) AS attempt_started_at,
        j.finished_at, j.expires_at, coalesce(l.rows_done, j.rows, 0) AS rows_done,
        coalesce(l.rows_total, j.rows) AS rows_total, j.rows, j.sheets, j.size, encode(j.sha256, 'hex') AS sha256,
        encode(j.scope_digest, 'hex') AS scope_digest, to_char(j.file_date, 'YYYY-MM-DD') AS file_date, j.archive_epoch,
        j.warnings::text AS warnings, j.error_kind, j.error_message,
        extract(year FROM j.created_at AT TIME ZONE 'UTC')::int AS year,
        extract(month FROM j.created_at AT TIME ZONE 'UTC')::int AS month,
        CASE j.state WHEN 'queued' THEN 1 + (SELECT count(*) FROM adminexport.job q
            WHERE q.tenant_key = j.tenant_key AND q.state = 'queued'
                AND (q.priority > j.priority OR q.priority = j.priority AND q.id < j.id)) END AS queue_position
        """

    /// The job as the rules see it. A running one's lease is taken for lasting: who asks this way does not go by it.
    var machine: JobMachine {
        JobMachine(
            state: state, epoch: epoch, attempt: attempt, crashes: crashes, isCancelRequested: isCancelRequested,
            archiveEpoch: archiveEpoch, isHeld: isHeld, lease: state == .running ? .lasting : nil)
    }

    package static let source = "adminexport.job j LEFT JOIN adminexport.lease l ON l.job = j.id"

    package init(_ row: Row) throws {
        guard let id = JobID(try row.decode("id")), let state = JobState(rawValue: try row.decode("state")) else {
            throw PostgresError(.unexpectedResult, "a job has a state that this version does not know")
        }
        self.id = id
        self.state = state
        tenantKey = try row.decode("tenant_key")
        actorKey = try row.decode("actor_key")
        tenantSlug = try row.decode("tenant_slug")
        actorEmail = try row.decode("actor_email")
        options = try row.decode("options")
        epoch = try row.decode("epoch")
        attempt = try row.decode("attempt")
        crashes = try row.decode("crashes")
        isHeld = try row.decode("hold")
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
        warnings = try row.decode("warnings")
        createdMonth = (try row.decode("year"), try row.decode("month"))
        result = try JobResult(row)
        failure = try row.decodeIfPresent("error_kind", as: String.self).map { kind in
            JobFailure(kind: kind, message: try row.decode("error_message"))
        }
    }
}

/// What a finished job has made.
package struct JobResult: Sendable, Equatable {
    package let rows: Int
    package let sheets: Int
    /// Bytes of the file as it is handed out.
    package let size: Int
    /// Hexadecimal.
    package let sha256: String
    /// Hexadecimal; see `Scope.digest`.
    package let scopeDigest: String
    /// The data's day, `yyyy-mm-dd`.
    package let day: String
    /// JSON: `[{"kind", "count"}]`.
    package let warnings: String

    package init(
        rows: Int, sheets: Int, size: Int, sha256: String, scopeDigest: String, day: String, warnings: String
    ) {
        self.rows = rows
        self.sheets = sheets
        self.size = size
        self.sha256 = sha256
        self.scopeDigest = scopeDigest
        self.day = day
        self.warnings = warnings
    }

    init?(_ row: Row) throws {
        guard let rows = try row.decodeIfPresent("rows", as: Int.self) else { return nil }
        self.init(
            rows: rows, sheets: try row.decode("sheets"), size: try row.decode("size"), sha256: try row.decode("sha256"),
            scopeDigest: try row.decode("scope_digest"), day: try row.decode("file_date"),
            warnings: try row.decode("warnings"))
    }
}

/// Why an attempt failed: a kind that programs go by and a sentence for people, which holds no data.
package struct JobFailure: Error, Sendable, Equatable {
    package let kind: String
    package let message: String
    /// Whether the same job may well succeed later.
    package let isTransient: Bool
    /// Whether it is tried again for no longer than one attempt may take; else for as long as the worker's configuration says.
    package let isTriedUntilDeadline: Bool

    package init(kind: String, message: String, isTransient: Bool = false, isTriedUntilDeadline: Bool = false) {
        self.isTriedUntilDeadline = isTriedUntilDeadline
        self.kind = kind
        self.message = message
        self.isTransient = isTransient
    }
}
