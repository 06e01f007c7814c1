internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC

struct ExportWaitHandler: MethodHandler {
    typealias Called = ExportWait
    static let isLong = true

    let exports: ExportService

    func handle(_ params: ExportWait.Params, _ session: Session) async throws -> JobReply {
        let timeout = params.timeoutMs ?? 30_000
        guard (1...60_000).contains(timeout) else {
            throw RPCError.invalidParams("timeoutMs", "timeoutMs is 1 to 60,000.")
        }
        return try JobReply(
            await exports.wait(
                session.asker(params.actor), job: JobID(param: params.job), after: params.afterRevision,
                timeout: .milliseconds(timeout)))
    }
}
