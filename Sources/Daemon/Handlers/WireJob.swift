internal import Archive
internal import ExportAPI
internal import Exports
private import Foundation
internal import Jobs
internal import JSONRPC
internal import Postgres

extension ExportAPI.Job {
    /// The job as it goes over the wire.
    init(_ job: Jobs.Job) throws {
        let options = try ExportOptions(json: job.options)
        guard let state = State(rawValue: job.state.rawValue) else {
            throw PostgresError(.unexpectedResult, "a job has a state that the wire does not know")
        }
        self.init(
            id: job.id.description, tenant: job.tenantSlug, requestedBy: job.actorEmail,
            includeDisabled: options.includeDisabled, includeReferences: options.includeReferences, state: state,
            revision: job.revision, progress: Progress(rowsDone: job.rowsDone, rowsTotal: job.rowsTotal),
            queuePosition: job.queuePosition, cancelRequested: job.isCancelRequested, createdAt: job.createdAt.rfc3339,
            startedAt: job.startedAt?.rfc3339, finishedAt: job.finishedAt?.rfc3339, expiresAt: job.expiresAt?.rfc3339,
            fileName: job.result.map {
                "administrators-\(ArchiveName.component(job.tenantSlug))-\($0.day).xlsx"
            }, size: job.result?.size, sha256: job.result?.sha256, rows: job.result?.rows, sheets: job.result?.sheets,
            warnings: try Exports.Warning.list(json: job.warnings).map { Warning(kind: $0.kind, count: $0.count) },
            error: job.failure.map { Failure(kind: $0.kind, message: $0.message) })
    }
}

extension JobReply {
    init(_ job: Jobs.Job) throws {
        self.init(job: try ExportAPI.Job(job))
    }
}

extension JobID {
    /// - Throws: ``RPCError`` −32602
    init(param text: String, _ name: String = "job") throws(RPCError) {
        guard let id = JobID(text) else { throw .invalidParams(name, "\(name) is not an id; ids are UUIDs.") }
        self = id
    }
}

extension Timestamp {
    /// UTC, with milliseconds.
    var rfc3339: String {
        let milliseconds = (Double(microseconds) / 1_000).rounded(.down)
        return Date(timeIntervalSince1970: milliseconds / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: .gmt))
    }
}
