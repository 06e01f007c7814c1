internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ExportListHandler: ResultHandler {
    typealias Called = ExportList

    static let traits: MethodTraits = .large

    let exports: ExportService

    func handle(_ params: ExportList.Params, _ session: CallerSession) async throws -> ExportList.Result {
        let limit = params.limit ?? 20
        if params.actor != nil, params.tenant != nil {
            throw RPCError.invalidParams("tenant", "tenant goes without actor, who has a tenant already.")
        }
        // One more than asked for tells whether there is a next page.
        let jobs = try await exports.list(
            session.requester(params.actor, tenant: params.tenant),
            states: (params.states ?? []).compactMap { JobState(rawValue: $0.rawValue) },
            before: params.cursor.map { try JobID(param: $0, "cursor") }, limit: limit + 1)
        let page = jobs.prefix(limit)
        return ExportList.Result(
            jobs: try page.map { try AdminExportAPI.Job($0) },
            nextCursor: jobs.count > limit ? page.last?.id.description : nil)
    }
}
