internal import AdminExportAPI
internal import Exports

struct ExportGetHandler: ResultHandler {
    typealias Called = ExportGet

    let exports: ExportService

    func handle(_ params: ExportGet.Params, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.get(session.requester(params.actor), job: JobID(param: params.job)))
    }
}
