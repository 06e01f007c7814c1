internal import AdminExportAPI
internal import Exports
private import Foundation
internal import JSONRPC
private import Postgres

/// Serves the methods of ``OperatorMethods.swift`` and ``AuditMethods.swift``.
struct OperatorHandlers: Sendable {
    let exports: ExportService

    var methods: [ServiceDispatcher.Method] {
        [
            .result(ServicePause.self) { _, session in
                try await exports.pause(true, peer: session.operatorOfAll())
                return NoMembers()
            },
            .result(ServiceResume.self) { _, session in
                try await exports.pause(false, peer: session.operatorOfAll())
                return NoMembers()
            },
            .result(ServiceWorkers.self, .large) { _, session in
                _ = try session.operatorOfAll()
                return ServiceWorkers.Result(workers: try await exports.workers().map { WorkerStatus($0) })
            },
            .result(ServiceDrain.self) { params, session in
                let peer = try session.operatorOfAll()
                let worker = try await exports.drain(WorkerID(param: params.worker, "worker"), params.on ?? true, peer: peer)
                return ServiceDrain.Result(worker: WorkerStatus(worker))
            },
            .result(ServiceHold.self, [], hold), .result(ServiceHolds.self, .large, holds),
            .result(AuditList.self, .large, audit), .result(AuditCheckpoints.self, .large, checkpoints),
            .result(AuditDigest.self, .long, digest),
        ]
    }

    private func audit(_ params: AuditList.Params, _ session: CallerSession) async throws -> AuditList.Result {
        let requester = try session.asOperator(of: params.tenant)
        let limit = params.limit ?? 100
        var filter = AuditLog.Filter()
        filter.actorEmail = params.administrator
        filter.job = try params.job.map { try JobID(param: $0) }
        filter.events = params.events?.compactMap { Audit.Event(rawValue: $0) }
        filter.from = params.from.flatMap(RFC3339.microseconds)
        filter.before = params.before.flatMap(RFC3339.microseconds)
        // One event more than requested shows whether there is a next page.
        let entries = try await exports.audit(requester, filter, after: params.cursor.map(Self.cursor), limit: limit + 1)
        let page = entries.prefix(limit)
        return AuditList.Result(
            events: try page.map { try AuditEvent($0) },
            nextCursor: entries.count > limit ? page.last.map { "\($0.at.microseconds)-\($0.id)" } : nil)
    }

    private func hold(_ params: ServiceHold.Params, _ session: CallerSession) async throws -> ServiceHold.Result {
        let until = params.until.flatMap(RFC3339.microseconds)
        let job = try await exports.hold(
            session.asOperator(), job: JobID(param: params.job),
            params.on ? .begin(reason: params.reason, until: until) : .end(reason: params.reason))
        return ServiceHold.Result(
            job: try AdminExportAPI.Job(job), held: job.isHeld, hold: job.hold.map { LegalHold($0) })
    }

    private func holds(_ params: ServiceHolds.Params, _ session: CallerSession) async throws -> ServiceHolds.Result {
        let limit = params.limit ?? 20
        // One more than requested shows whether there is a next page.
        let jobs = try await exports.held(
            session.asOperator(of: params.tenant), before: params.cursor.map { try JobID(param: $0, "cursor") },
            limit: limit + 1)
        let page = jobs.prefix(limit)
        return ServiceHolds.Result(
            holds: try page.compactMap { job in
                try job.hold.map { ServiceHolds.HeldJob(job: try AdminExportAPI.Job(job), hold: LegalHold($0)) }
            }, nextCursor: jobs.count > limit ? page.last?.id.description : nil)
    }

    private func checkpoints(
        _ params: AuditCheckpoints.Params, _ session: CallerSession
    ) async throws -> AuditCheckpoints.Result {
        _ = try session.operatorOfAll()
        let checkpoints = try await exports.checkpoints(after: params.after ?? 0, limit: params.limit ?? 100)
        return AuditCheckpoints.Result(
            checkpoints: checkpoints.map { .init(number: $0.number, envelope: $0.envelope) })
    }

    private func digest(_ params: AuditDigest.Params, _ session: CallerSession) async throws -> AuditDigest.Result {
        _ = try session.operatorOfAll()
        let before = params.before.flatMap(RFC3339.microseconds)
        let part = try await exports.trail(from: params.from.flatMap(RFC3339.microseconds), before: before)
        return AuditDigest.Result(events: part.events, sha256: part.sha256, isComplete: part.before == before)
    }

    /// - Parameter text: a cursor in the form that the schema requires.
    private static func cursor(_ text: String) throws(RPCError) -> AuditLog.Cursor {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2 else {
            throw .invalidParams("cursor", "The parameter cursor must be the nextCursor of an earlier page.")
        }
        return AuditLog.Cursor(at: parts[0], id: parts[1])
    }
}

extension LegalHold {
    fileprivate init(_ hold: JobRecord.Hold) {
        self.init(since: hold.since?.rfc3339, uid: hold.uid, reason: hold.reason, until: hold.until?.rfc3339)
    }
}

extension WorkerStatus {
    fileprivate init(_ worker: WorkerRecord) {
        self.init(
            id: worker.id.description, host: worker.host, version: worker.version, startedAt: worker.startedAt.rfc3339,
            seenAt: worker.seenAt.rfc3339, slots: worker.slots, running: worker.running, draining: worker.isDraining,
            storage: worker.storage)
    }
}

extension AuditEvent {
    fileprivate init(_ entry: AuditLog.Entry) throws {
        self.init(
            at: entry.at.rfc3339, event: entry.event, tenant: entry.tenantSlug, administrator: entry.actorEmail,
            job: entry.job, peer: entry.peer.map { CallingProcess(uid: $0.uid, gid: $0.gid, pid: $0.pid) },
            reason: entry.reason, details: try JSONDecoder().decode(JSONValue.self, from: Data(entry.details.utf8)))
    }
}
