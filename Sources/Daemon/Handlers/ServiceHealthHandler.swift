internal import AdminExportAPI
internal import Archive
internal import Directory
internal import Exports
internal import JSONRPC

struct ServiceHealthHandler: ResultHandler {
    typealias Called = ServiceHealth
    static let traits: MethodTraits = .control

    private let flight = SingleFlight<ServiceHealth.Result>(reusingValueFor: .milliseconds(250))
    private let exports: ExportService
    private let contract: DirectoryContract
    private let refreshDirectory: @Sendable () async -> Void

    /// - Parameter refreshDirectory: inspects the directory, unless the last inspection is a few seconds old at most.
    init(exports: ExportService, contract: DirectoryContract, refreshDirectory: @escaping @Sendable () async -> Void) {
        self.exports = exports
        self.contract = contract
        self.refreshDirectory = refreshDirectory
    }

    func handle(_ params: NoMembers, _ session: CallerSession) async throws -> ServiceHealth.Result {
        try await flight.run { [self] in
            await refreshDirectory()
            return await health()
        }
    }

    private func health() async -> ServiceHealth.Result {
        let depth: QueueControl.Depth
        let storage: String
        let free: Int?
        let stuck = exports.stuckFileOperations
        do {
            depth = try await exports.depth()
            free = await exports.space()?.free
            storage =
                try await exports.storageFault() ?? depth.storage.map(Self.sentence) ?? (stuck > 0 ? Self.hangs : "ok")
        } catch {
            return ServiceHealth.Result(
                status: .unavailable, database: contract.schemaFaults.first.map { "\($0)" } ?? "unavailable", queued: nil,
                running: nil, oldestQueuedMs: nil, workers: nil,
                slots: nil, draining: nil, paused: nil, schemaVersion: nil, freeBytes: nil, storage: "unknown",
                stuckFileOperations: stuck)
        }
        let database = contract.schemaFaults.first.map { "\($0)" } ?? "ok"
        let (found, faults) = Self.directory(contract.status)
        // The look may be seconds old; whether the server answers is asked now.
        let directory = await exports.directoryFault() ?? found
        let isWorking =
            depth.workers > depth.draining && storage == "ok" && !depth.isPaused && directory == "ok" && database == "ok"
        return ServiceHealth.Result(
            status: isWorking ? .ok : .degraded, database: database, queued: depth.queued, running: depth.running,
            oldestQueuedMs: depth.oldestQueuedMilliseconds, workers: depth.workers, slots: depth.slots,
            draining: depth.draining, paused: depth.isPaused,
            schemaVersion: depth.schemaVersion, freeBytes: free, storage: storage, directory: directory,
            directoryFaults: faults.isEmpty ? nil : faults, stuckFileOperations: stuck)
    }

    private static func directory(
        _ status: DirectoryContract.Status
    ) -> (word: String, faults: [ServiceHealth.DirectoryFault]) {
        switch status {
        case .unreachable: ("the database with the directory cannot be reached", [])
        case .seen(let faults):
            (
                faults.first?.description ?? "ok",
                faults.prefix(ServiceHealth.maxFaults).map { .init(problem: $0.problem, remedy: $0.remedy) }
            )
        }
    }

    private static let hangs = "hangs in places: operations on archives do not come back"

    /// What a worker says of its disk.
    private static func sentence(_ word: String) -> String {
        switch word {
        case "full": "full: a worker has no room for archives, and takes no jobs until there is"
        case "wrong-store": "a worker sees a directory of archives that is not this database's, or is not mounted"
        default: "a worker cannot write archives, and takes no jobs until it can"
        }
    }
}
