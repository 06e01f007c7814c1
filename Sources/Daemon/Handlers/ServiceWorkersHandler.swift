internal import AdminExportAPI
internal import Exports
internal import JSONRPC
private import Postgres

struct ServiceWorkersHandler: ResultHandler {
    typealias Called = ServiceWorkers
    static let traits: MethodTraits = .large

    let exports: ExportService

    func handle(_ params: NoMembers, _ session: CallerSession) async throws -> ServiceWorkers.Result {
        _ = try session.operatorOfAll()
        return ServiceWorkers.Result(workers: try await exports.workers().map { WorkerStatus($0) })
    }
}

extension WorkerStatus {
    init(_ worker: QueueControl.WorkerStatus) {
        self.init(
            id: worker.id, host: worker.host, version: worker.version, startedAt: worker.startedAt.rfc3339,
            seenAt: worker.seenAt.rfc3339, slots: worker.slots, running: worker.running, draining: worker.isDraining,
            storage: worker.storage)
    }
}
