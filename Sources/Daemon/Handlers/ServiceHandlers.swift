internal import AdminExportAPI
internal import Archive
internal import Directory
internal import Evidence
internal import Exports
internal import JSONRPC
private import Sockets
private import Synchronization

/// Serves `rpc.discover`, `service.info` and `service.health`.
struct ServiceHandlers: Sendable {
    private let exports: ExportService
    private let contract: DirectoryContract
    private let settings: LiveSettings
    private let attributes: [Attribute]
    private let refreshDirectory: @Sendable () async -> Void
    private let flight = SingleFlight<ServiceHealth.Result>(reusingValueFor: .milliseconds(250))

    /// The same for all callers, so it is made once.
    private static let document = Result {
        try WireCoding.encode(RPCDiscover.Result(OpenRPC.document(version: AdminExportDaemon.version)))
    }

    /// - Parameter refreshDirectory: inspects the directory, unless the last inspection is a few seconds old at most.
    init(
        exports: ExportService, contract: DirectoryContract, settings: LiveSettings, attributes: [Attribute],
        refreshDirectory: @escaping @Sendable () async -> Void
    ) {
        self.exports = exports
        self.contract = contract
        self.settings = settings
        self.attributes = attributes
        self.refreshDirectory = refreshDirectory
    }

    var methods: [ServiceDispatcher.Method] {
        [
            .outcome(RPCDiscover.self, .large) { _, _, _ in Outcome(try Self.document.get()) },
            .outcome(ServiceInfo.self, .control, info),
            .result(ServiceHealth.self, .control) { _, _ in
                try await flight.run {
                    await refreshDirectory()
                    return await health()
                }
            },
        ]
    }

    // MARK: service.info

    private func info(
        _ params: NoMembers, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> Outcome {
        let limits = settings.limits.inForce(sinceBeginning: session.limits)
        let (otherGroups, about, keys) = (settings.otherGroups, settings.includesAbout, settings.publicKeys)
        if let known = session.info.withLock({ $0 }), known.limits == limits, known.otherGroups == otherGroups,
            known.about == about, known.keys == keys
        {
            return Outcome(known.json)
        }
        let json = try WireCoding.encode(
            ServiceInfo.Result(
                name: "adminexport", version: AdminExportDaemon.version, protocolVersion: 1, limits: limits.wire,
                capabilities: ServiceInfo.capabilities,
                otherGroups: ServiceInfo.OtherGroups(rawValue: otherGroups.rawValue),
                attributes: attributes.map {
                    ServiceInfo.Attribute(
                        column: $0.column, title: $0.title, type: .init(rawValue: $0.kind.rawValue) ?? .text,
                        permission: $0.permission)
                }, includeAbout: about, signingKeys: keys.map { ServiceInfo.SigningKey($0) },
                caller: ServiceInfo.Caller(
                    uid: Int(session.peer.uid), gid: Int(session.peer.gid),
                    groups: session.peer.groups.sorted().map { Int($0) },
                    grants: Grant.allCases.compactMap { grant in
                        session.grants[grant].map { ServiceInfo.Caller.Grant($0) }
                    })))
        session.info.withLock { $0 = (limits, otherGroups, about, keys, json) }
        return Outcome(json)
    }

    // MARK: service.health

    private func health() async -> ServiceHealth.Result {
        let schemaFault = contract.schemaFaults.first.map { "\($0)" }
        var health = ServiceHealth.Result(
            status: .unavailable, database: schemaFault ?? "unavailable", storage: "unknown",
            stuckFileOperations: exports.stuckFileOperations)
        let depth: QueueControl.Depth
        do {
            depth = try await exports.depth()
            health.freeBytes = await exports.space()?.free
            health.storage =
                try await exports.storageFault() ?? depth.storage.map(Self.sentence)
                ?? (health.stuckFileOperations == 0 ? "ok" : "hangs for some files: operations on archives do not return")
        } catch {
            return ServiceHealth.Result(
                status: .unavailable, database: health.database, storage: "unknown",
                stuckFileOperations: health.stuckFileOperations)
        }
        health.database = schemaFault ?? "ok"
        health.queued = depth.queued
        health.running = depth.running
        health.oldestQueuedMs = depth.oldestQueuedMilliseconds
        health.workers = depth.workers
        health.slots = depth.slots
        health.draining = depth.draining
        health.paused = depth.isPaused
        health.schemaVersion = depth.schemaVersion
        var found = "ok"
        switch contract.status {
        case .unreachable: found = "the database with the directory cannot be reached"
        case .seen(let faults) where !faults.isEmpty:
            found = "\(faults[0])"
            health.directoryFaults = faults.prefix(ServiceHealth.maxFaults).map {
                .init(problem: $0.problem, remedy: $0.remedy)
            }
        case .seen: break
        }
        // The last inspection of the directory may be seconds old. Whether its server answers is checked now.
        health.directory = await exports.directoryFault() ?? found
        let isWorking =
            depth.workers > depth.draining && !depth.isPaused
            && [health.storage, health.directory, health.database].allSatisfy { $0 == "ok" }
        health.status = isWorking ? .ok : .degraded
        return health
    }

    /// - Parameter word: what a worker reports about the archives' disk.
    private static func sentence(_ word: String) -> String {
        switch word {
        case "full": "full: a worker has too little space for archives, and takes no jobs until there is space"
        case "wrong-store": "a worker sees a directory of archives that is not this database's, or is not mounted"
        default: "a worker cannot write archives, and takes no jobs until it can"
        }
    }
}

extension ServiceInfo.SigningKey {
    fileprivate init(_ key: VerificationKey) {
        self.init(id: key.id, status: Status(rawValue: key.status.rawValue) ?? .revoked, publicKey: key.file)
    }
}

extension ServiceInfo.Caller.Grant {
    fileprivate init(_ grant: TenantGrant) {
        var (slugs, keys): ([String], [String]) = ([], [])
        switch grant.tenants {
        case .all: slugs = ["*"]
        case .some(let names):
            for name in names {
                switch name {
                case .slug(let slug): slugs.append(slug)
                case .key(let key): keys.append(key)
                }
            }
        }
        self.init(grant: grant.name, tenants: slugs.sorted(), keys: keys.isEmpty ? nil : keys.sorted())
    }
}
