private import Directory
private import Postgres

/// The operations for operators.
extension ExportService {
    /// Counts jobs and workers.
    ///
    /// - Throws: ``PostgresError``, also before the database has been reached for the first time.
    package func depth() async throws -> QueueControl.Depth {
        try directory.checkJobs()
        return try await transaction { try await QueueControl().depth(on: $0) }
    }

    /// Lists the workers that reported in the last 30 s, the oldest first.
    package func workers() async throws -> [WorkerRecord] {
        try await transaction { try await QueueControl().workers(on: $0) }
    }

    /// Pauses or resumes all claims. Jobs that run continue.
    package func pause(_ isPaused: Bool, peer: CallingProcess) async throws {
        _ = try await transaction { try await QueueControl().pause(isPaused, peer: peer, on: $0) }
    }

    /// Stops or resumes the claims of one worker.
    ///
    /// - Throws: ``QueueError/noWorker``
    package func drain(_ worker: WorkerID, _ isDraining: Bool, peer: CallingProcess) async throws -> WorkerRecord {
        try await transaction { try await QueueControl().drain(worker, isDraining, peer: peer, on: $0) }
    }

    /// Begins, changes or ends a legal hold of a job of the operator's tenants.
    package func hold(_ requester: Requester, job id: JobID, _ change: JobStore.HoldChange) async throws -> JobRecord {
        do {
            return try await acting(for: requester) { owner, connection in
                try await jobs.hold(id, change, owner: owner, peer: requester.peer, on: connection)
            }
        } catch let error as PostgresError where error.isUnstorableText {
            throw UnstorableText(parameter: "reason")
        }
    }

    /// Lists the jobs of the requester's tenants that are under a legal hold, the newest first.
    ///
    /// - Parameter before: the last id of the previous page.
    package func held(_ requester: Requester, before: JobID?, limit: Int) async throws -> [JobRecord] {
        try await acting(for: requester) { owner, connection in
            try await jobs.held(owner: owner, before: before, limit: limit, on: connection)
        }
    }

    /// Lists the checkpoints of the audit trail, the oldest first, each as JSON.
    ///
    /// - Parameter number: that of the last one before the page.
    package func checkpoints(after number: Int, limit: Int) async throws -> [(number: Int, envelope: String)] {
        try await transaction { try await TrailReader.checkpoints(after: number, limit: limit, on: $0) }
    }

    /// Reads the events of a period, up to ``CheckpointMaker/maxEvents``.
    ///
    /// - Parameters:
    ///   - from: inclusive, in microseconds since 1970; nil for the beginning.
    ///   - before: exclusive, in the same unit; nil for the end.
    /// - Throws: ``TrailReader/Replaced``; ``PostgresError``.
    package func trail(from: Int?, before: Int?) async throws -> TrailReader.Part {
        try await TrailReader.read(from: from, before: before, maxEvents: CheckpointMaker.maxEvents) { query in
            try await transaction { try await $0.query(query) }
        }
    }

    /// Lists the audit events of the requester's tenants, the newest first.
    package func audit(
        _ requester: Requester, _ filter: AuditLog.Filter, after cursor: AuditLog.Cursor?, limit: Int
    ) async throws -> [AuditLog.Entry] {
        do {
            return try await acting(for: requester) { owner, connection in
                try await AuditLog().list(owner, filter, after: cursor, limit: limit, on: connection)
            }
        } catch let error as PostgresError
            where error.isUnstorableText && filter.actorEmail?.utf8.allSatisfy({ $0 < 128 }) == false
        {
            // The trail cannot contain this name.
            return []
        }
    }
}
