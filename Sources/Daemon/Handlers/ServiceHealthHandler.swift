internal import Archive
internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC

struct ServiceHealthHandler: ResultHandler {
    typealias Called = ServiceHealth
    static let traits: MethodTraits = .control

    private let look: SharedLook<ServiceHealth.Result>

    init(exports: ExportService) {
        look = SharedLook(freshFor: .milliseconds(250)) { await Self.look(at: exports) }
    }

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceHealth.Result {
        await look.answer()
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
        let directory = await exports.directoryFault() ?? "ok"
        let isWorking =
            depth.workers > depth.draining && storage == "ok" && !depth.isPaused && directory == "ok"
        return ServiceHealth.Result(
            status: isWorking ? .ok : .degraded, database: "ok", queued: depth.queued, running: depth.running,
            oldestQueuedMs: depth.oldestQueuedMilliseconds, workers: depth.workers, slots: depth.slots,
            draining: depth.draining, paused: depth.isPaused,
            schemaVersion: depth.schemaVersion, freeBytes: free, storage: storage,
            directory: directory)
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
