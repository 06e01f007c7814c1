internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ExportCancelHandler: ResultHandler {
    typealias Called = ExportCancel
    static let traits: MethodTraits = .control

    let exports: ExportService

    func handle(_ params: ExportCancel.Params, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.cancel(session.requester(params.actor), job: JobID(param: params.job)))
    }
}
