internal import AdminExportAPI
internal import Exports

struct ServiceDrainHandler: ResultHandler {
    typealias Called = ServiceDrain

    let exports: ExportService

    func handle(_ params: ServiceDrain.Params, _ session: CallerSession) async throws -> ServiceDrain.Result {
        let peer = try session.operatorOfAll()
        let worker = try await exports.drain(JobID(param: params.worker, "worker"), params.on ?? true, peer: peer)
        return ServiceDrain.Result(worker: WorkerStatus(worker))
    }
}
