internal import Postgres

extension RunExit {
    /// A statement that takes jobs out of the state `running`: it frees the tenant's slot, deletes the lease, changes the row and
    /// writes the audit event, all at once. It returns a row for each job.
    ///
    /// - Parameters:
    ///   - held: a SELECT that locks the jobs, with the columns `id`, `tenant_key` and the lease's `seq`.
    ///   - assignments: further columns of `adminexport.job j` to set.
    ///   - failure: what the row shows if the job fails.
    ///   - showsFailure: the row shows the failure also while the job waits for another attempt.
    ///   - policy: when the next attempt may start; nil for at once. Must be given for the condition `whenTooLate`.
    ///   - columns: the select list. `j` is the changed job; all columns of its former lease `l` are null.
    func statement(
        of held: String, setting assignments: [String] = [], failure: JobFailure? = nil, showsFailure: Bool = false,
        policy: AttemptEnd.RetryPolicy? = nil, returning columns: String = "j.state", _ parameters: inout Parameters
    ) -> String {
        var changes = assignments
        if attempts != 0 { changes.append("attempt = j.attempt + (\(attempts))") }
        if crashes != 0 { changes.append("crashes = j.crashes + \(crashes)") }
        if losses != 0 { changes.append("losses = j.losses + \(losses)") }
        let isCancelled = "j.cancel_requested_at IS NOT NULL"
        var isFailed = "false"
        switch target {
        case .final(let state):
            if state == .failed { isFailed = "true" }
            changes += ["state = '\(state.rawValue)'", "finished_at = clock_timestamp()"]
        case .queue(let condition):
            isFailed = "NOT \(isCancelled) AND \(sql(of: condition, policy, &parameters))"
            let delay = policy.map { " + \(parameters.add(.interval($0.delay)))::interval" } ?? ""
            changes += [
                "state = CASE WHEN \(isCancelled) THEN 'cancelled' WHEN \(isFailed) THEN 'failed' ELSE 'queued' END",
                "finished_at = CASE WHEN \(isCancelled) OR \(isFailed) THEN clock_timestamp() END",
                "run_after = clock_timestamp()\(delay)",
            ]
        }
        if let failure {
            let condition = showsFailure ? "true" : isFailed
            changes += [
                "error_kind = CASE WHEN \(condition) THEN \(parameters.add(.text(failure.kind)))::text END",
                "error_message = CASE WHEN \(condition) THEN \(parameters.add(.text(failure.message)))::text END",
            ]
        }
        return """
            WITH held AS MATERIALIZED (
                \(held)
            ), freed AS (
                UPDATE adminexport.tenant_slot s SET running = greatest(s.running - 1, 0) FROM held h WHERE s.tenant_key = h.tenant_key
            ), released AS (
                DELETE FROM adminexport.lease l USING held h WHERE l.job = h.id
            ), changed AS (
                UPDATE adminexport.job j SET worker = NULL, deadline_at = NULL, revision = j.revision + h.seq + 1,
                    \(changes.joined(separator: ",\n        "))
                FROM held h WHERE j.id = h.id RETURNING j.*
            ), audited AS (
                \(Audit.insertion(of: Self.event, jobs: "changed", reason: "error_kind", details: details))
            )
            SELECT \(columns) FROM changed j LEFT JOIN adminexport.lease l ON false
            """
    }

    /// The audit event of a job that has left the state `running`; null for none.
    private static let event = "CASE state WHEN 'queued' THEN NULL WHEN 'succeeded' THEN 'finished' ELSE state END"

    private var details: String {
        guard case .final(.succeeded) = target else { return Audit.attemptDetails }
        return """
            jsonb_build_object('epoch', epoch, 'rows', rows, 'sheets', sheets, 'size', size, 'sha256', encode(sha256, 'hex'),
                    'warnings', warnings)
            """
    }

    private func sql(of condition: Condition, _ policy: AttemptEnd.RetryPolicy?, _ parameters: inout Parameters) -> String {
        switch condition {
        case .never: return "false"
        case .always: return "true"
        case .afterCrashes: return "j.crashes + \(crashes) >= \(JobMachine.maxCrashes)"
        case .afterLosses: return "j.losses + \(losses) >= \(JobMachine.maxLosses)"
        case .whenTooLate:
            guard let policy else { preconditionFailure("no retry policy") }
            return """
                j.attempt >= \(parameters.add(.integer(policy.minAttempts)))::int \
                AND j.started_at + \(parameters.add(.interval(policy.giveUpAfter)))::interval < clock_timestamp()
                """
        }
    }
}
