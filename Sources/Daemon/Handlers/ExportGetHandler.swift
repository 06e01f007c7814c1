internal import AdminExportAPI
internal import Exports

struct ExportGetHandler: ResultHandler {
    typealias Called = ExportGet

    let exports: ExportService

    func handle(_ params: ExportGet.Params, _ session: Session) async throws -> JobReply {
        try JobReply(await exports.get(session.asker(params.actor), job: JobID(param: params.job)))
    }
}
