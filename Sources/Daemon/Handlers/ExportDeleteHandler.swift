internal import AdminExportAPI
internal import Exports

struct ExportDeleteHandler: ResultHandler {
    typealias Called = ExportDelete

    let exports: ExportService

    func handle(_ params: ExportDelete.Params, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.delete(session.requester(params.actor), job: JobID(param: params.job)))
    }
}
