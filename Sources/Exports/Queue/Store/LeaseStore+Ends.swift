internal import Postgres

extension LeaseStore {
    /// How an attempt ends. Each is one statement, which tells the state that the job has then; nil means that it was not the
    /// worker's any more.
    enum End: Sendable {
        case succeeded(JobResult)
        case failed(JobFailure)
        case cancelled
        /// The attempt does not count; a job that should be cancelled is. Takes no lease: an epoch that is unchanged shows that
        /// nobody else has had the job.
        case handedBack
        /// The lease was lost, and nobody else has had the job: no crash is counted, but the attempt is, and the next one waits
        /// for the delay. Fails where so many attempts were made and the first is so long ago. Takes no lease either.
        case returned(delay: Duration, attempts: Int, giveUpAfter: Duration)
        /// Again after the delay, with the reason to be seen meanwhile; a job that should be cancelled is, and one that was
        /// tried for too long fails.
        case retried(JobFailure, delay: Duration, giveUpAfter: Duration)
    }

    func end(_ job: ClaimedJob, _ end: End, on connection: isolated PostgresConnection) async throws -> JobState? {
        let id: [Query.Parameter] = [.text(job.id.description), .integer(job.epoch)]
        let isHopeless = "j.attempt >= $5::int AND \(Self.isTooLate(4))"
        let query: Query =
            switch end {
            case .succeeded(let result):
                fenced(
                    "succeed", event: "'finished'",
                    details: """
                        jsonb_build_object('epoch', epoch, 'rows', rows, 'sheets', sheets, 'size', size,
                            'sha256', encode(sha256, 'hex'), 'warnings', warnings)
                        """,
                    """
                    state = 'succeeded', finished_at = clock_timestamp(), expires_at = clock_timestamp() + $3::interval,
                    rows = $4::bigint, sheets = $5::int, size = $6::bigint, sha256 = decode($7, 'hex'),
                    scope_digest = decode($8, 'hex'), file_date = $9::date, warnings = $10::jsonb, archive_epoch = j.epoch
                    """,
                    id + [
                        .interval(retention), .integer(result.rows), .integer(result.sheets), .integer(result.size),
                        .text(result.sha256), .text(result.scopeDigest), .text(result.day), .text(result.warnings),
                    ])
            case .failed(let failure):
                fenced(
                    "fail", event: "'failed'",
                    "state = 'failed', finished_at = clock_timestamp(), error_kind = $3, error_message = $4",
                    id + [.text(failure.kind), .text(failure.message)])
            case .cancelled:
                fenced(
                    "cancel", event: "'cancelled'",
                    """
                    state = 'cancelled', finished_at = clock_timestamp(),
                    cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp())
                    """, id)
            case .handedBack:
                fenced(
                    "hand-back", event: "CASE state WHEN 'cancelled' THEN 'cancelled' END", needsLease: false,
                    """
                    state = CASE WHEN j.cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
                    finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL THEN clock_timestamp() END,
                    attempt = j.attempt - 1, run_after = clock_timestamp()
                    """, id, notifies: true)
            case .returned(let delay, let attempts, let giveUpAfter):
                fenced(
                    "return", event: "CASE WHEN state <> 'queued' THEN state END", needsLease: false,
                    """
                    state = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
                                 WHEN \(isHopeless) THEN 'failed' ELSE 'queued' END,
                    finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR \(isHopeless) THEN clock_timestamp() END,
                    error_kind = CASE WHEN j.cancel_requested_at IS NULL AND \(isHopeless) THEN 'worker-crashed' END,
                    error_message = CASE WHEN j.cancel_requested_at IS NULL AND \(isHopeless)
                        THEN 'The worker was stopped for too long, again and again. Ask the operators.' END,
                    run_after = clock_timestamp() + $3::interval
                    """, id + [.interval(delay), .interval(giveUpAfter), .integer(attempts)], notifies: true)
            case .retried(let failure, let delay, let giveUpAfter):
                fenced(
                    "retry", event: "CASE WHEN state <> 'queued' THEN state END",
                    """
                    state = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
                                 WHEN \(Self.isTooLate(6)) THEN 'failed' ELSE 'queued' END,
                    finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL
                                       OR \(Self.isTooLate(6)) THEN clock_timestamp() END,
                    error_kind = $3, error_message = $4, run_after = clock_timestamp() + $5::interval
                    """,
                    id + [.text(failure.kind), .text(failure.message), .interval(delay), .interval(giveUpAfter)])
            }
        return try await connection.query(query).first.map { try JobState($0) }
    }

    /// Whether the first attempt is as long ago as a parameter says.
    private static func isTooLate(_ parameter: Int) -> String {
        "j.started_at + $\(parameter)::interval < clock_timestamp()"
    }

    /// A statement that changes a job only while the worker holds it, gives back the slot, and takes the lease away.
    ///
    /// - Parameters:
    ///   - event: what is written to the audit trail, as SQL over the changed row; null for nothing.
    ///   - notifies: wakes workers, of other processes too: somebody else may have the job now. Else it wakes those who wait for
    ///     the job.
    private func fenced(
        _ name: String, event: String, details: String = Self.attemptDetails, needsLease: Bool = true, _ changes: String,
        _ values: [Query.Parameter], notifies: Bool = false
    ) -> Query {
        Query(
            name,
            """
            WITH held AS MATERIALIZED (
                SELECT j.id, j.tenant_key, l.seq FROM adminexport.job j JOIN adminexport.lease l ON l.job = j.id
                WHERE j.id = $1::uuid AND j.epoch = $2::int AND j.state = 'running'
                    AND l.epoch = $2::int\(needsLease ? " AND l.expires_at > clock_timestamp()" : "")
                FOR UPDATE OF j, l
            ), \(Self.release(changes)), \(Self.audit(event: event, "changed", reason: "error_kind", details: details))
            SELECT state, \(notifies ? QueueNotification.sql : QueueNotification.endedSQL) FROM changed
            """, values)
    }

    static let attemptDetails = "jsonb_build_object('epoch', epoch, 'attempt', attempt)"

    /// What every end does to the slot, the lease and the row.
    static func release(_ changes: String) -> String {
        """
        freed AS (
            UPDATE adminexport.tenant_slot s SET running = greatest(s.running - 1, 0) FROM held h WHERE s.tenant_key = h.tenant_key
        ), released AS (
            DELETE FROM adminexport.lease l USING held h WHERE l.job = h.id
        ), changed AS (
            UPDATE adminexport.job j SET worker = NULL, deadline_at = NULL, revision = j.revision + h.seq + 1, \(changes)
            FROM held h WHERE j.id = h.id RETURNING j.*
        )
        """
    }

    /// Writes an event for each row of the source where it is not null. All of it is SQL of this program.
    static func audit(
        event: String, _ source: StaticString, reason: StaticString = "NULL", details: String = "'{}'::jsonb"
    ) -> String {
        """
        audited AS (
            INSERT INTO adminexport.audit_event (event, job, tenant_key, tenant_slug, actor_key, actor_email, reason, details)
            SELECT event, id, tenant_key, tenant_slug, actor_key, actor_email, reason, details
            FROM (SELECT \(event) AS event, id, tenant_key, tenant_slug, actor_key, actor_email, \(reason) AS reason,
                      \(details) AS details FROM \(source)) e
            WHERE event IS NOT NULL
        )
        """
    }

    /// Whether the job is done and the file of this epoch is the one that its row names: what to ask when the answer to the
    /// last statement got lost. Locks the row, so that a commit that is still on its way is waited for.
    func isPublished(_ job: ClaimedJob, on connection: isolated PostgresConnection) async throws -> Bool {
        try await !connection.query(
            Query(
                "is-published",
                "SELECT archive_epoch FROM adminexport.job WHERE id = $1::uuid FOR UPDATE", [.text(job.id.description)])
        ).filter { try $0.decodeIfPresent("archive_epoch") == job.epoch }.isEmpty
    }
}
