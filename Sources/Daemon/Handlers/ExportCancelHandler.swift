internal import ExportAPI
internal import Exports
internal import Jobs

struct ExportCancelHandler: MethodHandler {
    typealias Called = ExportCancel
    static let isControl = true

    let exports: ExportService

    func handle(_ params: ExportCancel.Params, _ session: Session) async throws -> JobReply {
        try JobReply(await exports.cancel(session.asker(params.actor), job: JobID(param: params.job)))
    }
}
