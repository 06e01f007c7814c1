private import Directory
private import Postgres

/// What operators can ask for.
extension ExportService {
    /// - Throws: faults of the jobs' database; also while it has not been held to what this process needs yet.
    package func depth() async throws -> QueueControl.Depth {
        try directory.checkJobs()
        return try await transaction { try await QueueControl().depth(on: $0) }
    }

    package func workers() async throws -> [WorkerRecord] {
        try await transaction { try await QueueControl().workers(on: $0) }
    }

    /// Stops all claims, or lets them go on; what runs is not touched.
    package func pause(_ isPaused: Bool, peer: CallingProcess) async throws {
        _ = try await transaction { try await QueueControl().pause(isPaused, peer: peer, on: $0) }
    }

    /// Has a worker claim no more, or lets it claim again.
    ///
    /// - Throws: ``QueueError/noWorker``
    package func drain(_ worker: WorkerID, _ isDraining: Bool, peer: CallingProcess) async throws -> WorkerRecord {
        try await transaction { try await QueueControl().drain(worker, isDraining, peer: peer, on: $0) }
    }

    /// Begins or ends a legal hold of a job of the operator's tenants.
    package func hold(_ requester: Requester, job id: JobID, _ isHeld: Bool) async throws -> JobRecord {
        try await acting(for: requester) { owner, connection in
            try await jobs.hold(id, isHeld, owner: owner, peer: requester.peer, on: connection)
        }
    }

    /// The trail of the requester's tenants.
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
            // Nobody of that name can be in the trail.
            return []
        }
    }
}
