internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC

struct ExportListHandler: MethodHandler {
    typealias Called = ExportList

    static let isLarge = true

    let exports: ExportService

    func handle(_ params: ExportList.Params, _ session: Session) async throws -> ExportList.Result {
        let limit = params.limit ?? 20
        guard (1...100).contains(limit) else { throw RPCError.invalidParams("limit", "limit is 1 to 100.") }
        if let tenant = params.tenant { try TextParam.check(tenant, "tenant", longest: 320) }
        let before = params.cursor.map { JobID($0) }
        if case .some(nil) = before { throw RPCError.invalidParams("cursor", "cursor is not one that export.list gave.") }
        if params.actor != nil, params.tenant != nil {
            throw RPCError.invalidParams("tenant", "tenant goes without actor, who has a tenant already.")
        }
        // One more than asked for tells whether there is a next page.
        let jobs = try await exports.list(
            session.asker(params.actor, tenant: params.tenant), tenant: params.tenant,
            states: (params.states ?? []).compactMap { JobState(rawValue: $0.rawValue) }, before: before ?? nil,
            limit: limit + 1)
        let page = jobs.prefix(limit)
        return ExportList.Result(
            jobs: try page.map { try ExportAPI.Job($0) }, nextCursor: jobs.count > limit ? page.last?.id.description : nil)
    }
}
