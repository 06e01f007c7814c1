internal import AdminExportAPI
internal import Exports

struct ExportDeleteHandler: ResultHandler {
    typealias Called = ExportDelete

    let exports: ExportService

    func handle(_ params: ExportDelete.Params, _ session: Session) async throws -> JobReply {
        try JobReply(await exports.delete(session.asker(params.actor), job: JobID(param: params.job)))
    }
}
