internal import Archive
internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC
private import Postgres

struct ServiceHealthHandler: ResultHandler {
    typealias Called = ServiceHealth
    static let traits: MethodTraits = .control

    let probe: HealthProbe

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceHealth.Result {
        await probe.health()
    }
}

/// Looks after the service's health for all who ask: one look at a time, and none where the last is fresh.
actor HealthProbe {
    private static let freshness: Duration = .milliseconds(250)

    private let exports: ExportService
    private var looking: Task<ServiceHealth.Result, Never>?
    private var last: (health: ServiceHealth.Result, at: ContinuousClock.Instant)?

    init(exports: ExportService) {
        self.exports = exports
    }

    func health() async -> ServiceHealth.Result {
        if let looking { return await looking.value }
        if let last, last.at.duration(to: .now) < Self.freshness { return last.health }
        // On nobody's account: whoever comes first may have a long line of its own.
        let task = Task { [exports] in await PostgresPool.withParty(0) { await Self.look(at: exports) } }
        looking = task
        let health = await task.value
        looking = nil
        last = (health, .now)
        return health
    }

    private static func look(at exports: ExportService) async -> ServiceHealth.Result {
        let depth: JobStore.Depth
        let storage: String
        do {
            (depth, storage) = (try await exports.depth(), try await exports.storageFault() ?? "ok")
        } catch {
            return ServiceHealth.Result(
                status: .unavailable, database: "unavailable", queued: nil, running: nil, oldestQueuedMs: nil, workers: nil,
                storage: "unknown")
        }
        let isWorking = depth.workers > 0 && storage == "ok"
        return ServiceHealth.Result(
            status: isWorking ? .ok : .degraded, database: "ok", queued: depth.queued, running: depth.running,
            oldestQueuedMs: depth.oldestQueuedMilliseconds, workers: depth.workers, storage: storage)
    }
}
