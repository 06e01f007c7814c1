internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ExportWaitHandler: ResultHandler {
    typealias Called = ExportWait
    static let traits: MethodTraits = .long

    let exports: ExportService

    func handle(_ params: ExportWait.Params, _ session: CallerSession) async throws -> JobReply {
        try JobReply(
            await exports.wait(
                session.requester(params.actor), job: JobID(param: params.job), after: params.afterRevision,
                timeout: .milliseconds(params.timeoutMs ?? 30_000)))
    }
}
