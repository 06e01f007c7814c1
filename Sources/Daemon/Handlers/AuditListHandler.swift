internal import AdminExportAPI
internal import Exports
private import Foundation
internal import JSONRPC
private import Postgres

struct AuditListHandler: ResultHandler {
    typealias Called = AuditList
    static let traits: MethodTraits = .large

    let exports: ExportService

    func handle(_ params: AuditList.Params, _ session: CallerSession) async throws -> AuditList.Result {
        let requester = try session.asOperator(of: params.tenant)
        let limit = params.limit ?? 100
        var filter = AuditLog.Filter()
        filter.actorEmail = params.administrator
        filter.job = try params.job.map { try JobID(param: $0) }
        filter.events = params.events?.compactMap { Audit.Event(rawValue: $0) }
        filter.from = params.from.flatMap(RFC3339.microseconds)
        filter.before = params.before.flatMap(RFC3339.microseconds)
        // One more than asked for tells whether there is a next page.
        let entries = try await exports.audit(requester, filter, after: params.cursor.map(Self.cursor), limit: limit + 1)
        let page = entries.prefix(limit)
        return AuditList.Result(
            events: try page.map { try AuditEvent($0) },
            nextCursor: entries.count > limit ? page.last.map { "\($0.at.microseconds)-\($0.id)" } : nil)
    }

    /// - Parameter text: one that the schema has passed.
    private static func cursor(_ text: String) throws(RPCError) -> AuditLog.Cursor {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2 else { throw .invalidParams("cursor", "cursor has to be what nextCursor of a page was.") }
        return AuditLog.Cursor(at: parts[0], id: parts[1])
    }
}

extension AuditEvent {
    fileprivate init(_ entry: AuditLog.Entry) throws {
        self.init(
            at: entry.at.rfc3339, event: entry.event, tenant: entry.tenantSlug, administrator: entry.actorEmail,
            job: entry.job, peer: entry.peer.map { CallingProcess(uid: $0.uid, gid: $0.gid, pid: $0.pid) },
            reason: entry.reason,
            details: try JSONDecoder().decode(JSONValue.self, from: Data(entry.details.utf8)))
    }
}
