internal import AdminExportAPI
internal import Exports

struct ExportStartHandler: ResultHandler {
    typealias Called = ExportStart

    let exports: ExportService

    func handle(_ params: ExportStart.Params, _ session: CallerSession) async throws -> ExportStart.Result {
        let options = ExportOptions(
            includeDisabled: params.includeDisabled ?? false, includeReferences: params.includeReferences ?? false)
        let started = try await exports.start(
            session.actorRequest(params.actor), options: options, idempotencyKey: params.idempotencyKey)
        return ExportStart.Result(job: try AdminExportAPI.Job(started.job), replayed: started.isReplayed)
    }
}
