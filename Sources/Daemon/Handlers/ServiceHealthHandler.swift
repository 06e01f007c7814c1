internal import Archive
internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC

struct ServiceHealthHandler: ResultHandler {
    typealias Called = ServiceHealth
    static let traits: MethodTraits = .control

    let exports: ExportService

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceHealth.Result {
        let health: (depth: JobStore.Depth, storage: String)
        do {
            health = (try await exports.depth(), try await exports.storageFault() ?? "ok")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return ServiceHealth.Result(
                status: .unavailable, database: "unavailable", queued: nil, running: nil, oldestQueuedMs: nil, workers: nil,
                storage: "unknown")
        }
        let isWorking = health.depth.workers > 0 && health.storage == "ok"
        return ServiceHealth.Result(
            status: isWorking ? .ok : .degraded, database: "ok", queued: health.depth.queued,
            running: health.depth.running, oldestQueuedMs: health.depth.oldestQueuedMilliseconds,
            workers: health.depth.workers, storage: health.storage)
    }
}
