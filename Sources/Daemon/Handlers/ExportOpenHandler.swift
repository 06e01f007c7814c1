internal import AdminExportAPI
internal import Exports
internal import JSONRPC
internal import Sockets
private import SystemPackage

struct ExportOpenHandler: MethodHandler {
    typealias Called = ExportOpen
    /// One at a time for a connection: a descriptor waits with its reply for the peer to take it.
    static let traits: MethodTraits = .large

    let exports: ExportService
    let metrics: ServerMetrics

    func outcome(
        _ params: ExportOpen.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome {
        let offset = params.offset ?? 0
        let form: ExportService.Form
        switch params.encoding ?? .identity {
        case .identity: form = .content(offset: offset)
        case .zstd:
            guard offset == 0 else {
                throw RPCError.invalidParams(
                    "offset", "offset is 0 with the encoding zstd: the archive is given as a whole.")
            }
            form = .archive
        }
        let (job, file) = try await exports.open(session.actorRequest(params.actor), job: JobID(param: params.job), as: form)
        metrics.openedWorkbook()
        let reply = try AdminExportAPI.Job(job)
        let result = ExportOpen.Result(
            size: file.size, sha256: reply.sha256 ?? "", archiveSize: file.archiveSize, fileName: reply.fileName ?? "")
        let descriptor = PassedDescriptor(file.descriptor.rawValue, of: file) { file.wasPassed() }
        return Outcome(try WireCoding.encode(result), attachments: [descriptor])
    }
}
