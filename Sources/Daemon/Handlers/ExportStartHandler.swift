internal import ExportAPI
internal import Exports
internal import JSONRPC

struct ExportStartHandler: MethodHandler {
    typealias Called = ExportStart

    let exports: ExportService

    func handle(_ params: ExportStart.Params, _ session: Session) async throws -> JobReply {
        if let key = params.idempotencyKey { try TextParam.check(key, "idempotencyKey", longest: 128) }
        let options = ExportOptions(
            includeDisabled: params.includeDisabled ?? false, includeReferences: params.includeReferences ?? false)
        return try JobReply(
            await exports.start(session.caller(params.actor), options: options, idempotencyKey: params.idempotencyKey))
    }
}
