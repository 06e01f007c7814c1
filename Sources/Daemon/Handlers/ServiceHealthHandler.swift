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
        let depth: QueueControl.Depth
        let storage: String
        let free: Int?
        do {
            depth = try await exports.depth()
            free = await exports.space()?.free
            storage = try await exports.storageFault() ?? depth.storage.map(Self.sentence) ?? "ok"
        } catch {
            return ServiceHealth.Result(
                status: .unavailable, database: "unavailable", queued: nil, running: nil, oldestQueuedMs: nil, workers: nil,
                slots: nil, draining: nil, paused: nil, schemaVersion: nil, freeBytes: nil, storage: "unknown")
        }
        let isWorking = depth.workers > depth.draining && storage == "ok" && !depth.isPaused
        return ServiceHealth.Result(
            status: isWorking ? .ok : .degraded, database: "ok", queued: depth.queued, running: depth.running,
            oldestQueuedMs: depth.oldestQueuedMilliseconds, workers: depth.workers, slots: depth.slots,
            draining: depth.draining, paused: depth.isPaused,
            schemaVersion: depth.schemaVersion, freeBytes: free, storage: storage)
    }

    /// What a worker says of its disk.
    private static func sentence(_ word: String) -> String {
        switch word {
        case "full": "full: a worker has no room for archives, and takes no jobs until there is"
        case "wrong-store": "a worker sees a directory of archives that is not this database's, or is not mounted"
        default: "a worker cannot write archives, and takes no jobs until it can"
        }
    }
}
