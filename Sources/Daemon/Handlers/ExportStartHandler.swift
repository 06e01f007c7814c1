internal import ExportAPI
internal import Exports

struct ExportStartHandler: ResultHandler {
    typealias Called = ExportStart

    let exports: ExportService

    func handle(_ params: ExportStart.Params, _ session: Session) async throws -> JobReply {
        let options = ExportOptions(
            includeDisabled: params.includeDisabled ?? false, includeReferences: params.includeReferences ?? false)
        return try JobReply(
            await exports.start(session.caller(params.actor), options: options, idempotencyKey: params.idempotencyKey))
    }
}
