private import AdminExportAPI
internal import Archive
internal import Directory
internal import Exports
private import Foundation
internal import JSONRPC
internal import Logging
internal import NIOCore
private import NIOPosix
internal import Postgres
internal import ServiceLifecycle
internal import Sockets
internal import Systemd
private import SystemPackage
private import UnixSignals

/// Puts the services of a process together from its configuration.
struct Assembly {
    let configuration: ServiceConfiguration
    let logger: Logger
    private let level: ServiceLog.Level
    let settings: LiveSettings
    private let disk: ArchiveDisk
    let contract = DirectoryContract()
    private let pools: DatabasePools

    init(_ loaded: CommonOptions.Loaded) {
        (configuration, logger, level) = loaded
        settings = LiveSettings(configuration)
        pools = DatabasePools(configuration, logger: logger)
        #if DEBUG
            let calls: any FileSystemCalls = StepCalls()
        #else
            let calls: any FileSystemCalls = SystemCalls()
        #endif
        disk = ArchiveDisk(store: ArchiveStore(root: FilePath(configuration.archives), calls: calls))
    }

    /// Runs `serve`: the socket, and workers where the configuration has some.
    ///
    /// - Parameter reload: reads the configuration again, at SIGHUP.
    func serve(
        manager: ServiceManager, socket: SocketActivation, reload: @escaping @Sendable () throws -> ServiceConfiguration
    ) async throws {
        prepare()
        DescriptorLimit.raise()
        guard !UserNamespace.isConfined else {
            throw ConfigurationFault(
                "this process is confined to a user namespace in which callers cannot be told apart: take PrivateUsers= out of its unit"
            )
        }
        let workers = configuration.workers
        try FileSystem.checkArchives(configuration.archives, writing: workers > 0)
        let policy = try CallerPolicy(configuration.callers)
        let directory = DirectoryDatabase(jobs: pools.api, own: pools.access, contract: contract)
        let gate = DatabaseGate(
            jobs: pools.api, directory: pools.inspection, contract: contract, access: directory,
            roles: [DatabaseRole.api] + (workers > 0 ? [DatabaseRole.worker] : []), logger: logger)
        _ = try await gate.tryOnce()
        let listening = try socket.listen(path: configuration.socket)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let watch = JobWatch(database: JobDatabase(pool: pools.api, role: DatabaseRole.api), logger: logger)
        let metrics = ServerMetrics()
        let transfers = Transfers(limits: { [settings] in settings.transferLimits }, logger: logger) { metrics.sent($0) }
        let trail = AuditWriter(
            pool: pools.trail, directory: { [directory] in directory.isKnownApart ? directory.pool : nil }, logger: logger)
        let exports = ExportService(
            pool: pools.api, directory: directory, disk: disk, transfers: transfers, watch: watch, trail: trail,
            bounds: { [settings] in settings.startBounds })
        let server = SocketServer(
            socket: listening, group: group, dispatcher: dispatcher(exports, metrics, transfers, trail, pools.api, gate),
            policy: policy,
            settings: settings, metrics: metrics, logger: logger)
        let crew = workers > 0 ? crew(slots: workers, watch: watch) : nil
        let status = ServiceStatus("Serving") { [contract] in
            [ServiceStatus.count(metrics.figures.connections, "caller"), ServiceStatus.count(transfers.count, "download")]
                + (crew.map { Self.figures(of: $0.worker) } ?? []) + Self.figures(of: pools.api)
                + (pools.access.map { Self.figures(of: $0, "the directory") } ?? [])
                + Self.figures(of: contract)
        }
        manager.ready(status: status.text)
        logger.report(DaemonEvent.serving, [.workers: workers, .version: AdminExportDaemon.version])
        // Those that serve stop before what they need.
        var services: [any Service] = [
            ManagerReport(
                manager: manager, status: status, loop: group.any(), sincePulse: { crew?.worker.pulse.age }),
            gate, trail, watch, TransferEnd(transfers: transfers),
        ]
        services += crew?.services ?? [listener(work: [], watch: watch)]
        services += [server, MemoryTrim(server: server)]
        services.append(
            ConfigurationReload(
                manager: manager, status: status, load: reload, started: configuration,
                apply: { [settings, level, contract] configuration in
                    let policy = try CallerPolicy(configuration.callers)
                    settings.apply(configuration)
                    contract.lookAgain()
                    level.value = configuration.logLevel
                    server.apply(policy)
                }, logger: logger))
        services.append(StopNotice(manager: manager, status: status))
        try await run(services)
        try await group.shutdownGracefully()
        pools.close()
    }

    /// Runs `work`: workers, and no socket.
    func work(manager: ServiceManager, reload: @escaping @Sendable () throws -> ServiceConfiguration) async throws {
        prepare()
        let workers = max(1, configuration.workers)
        try FileSystem.checkArchives(configuration.archives, writing: true)
        let gate = DatabaseGate(
            jobs: pools.worker, directory: pools.inspection, contract: contract, access: nil, roles: [DatabaseRole.worker],
            logger: logger)
        _ = try await gate.tryOnce()
        let crew = crew(slots: workers, watch: nil)
        let status = ServiceStatus("Working") { [contract] in
            Self.figures(of: crew.worker) + Self.figures(of: pools.worker) + Self.figures(of: contract)
        }
        manager.ready(status: status.text)
        logger.report(DaemonEvent.working, [.workers: workers, .version: AdminExportDaemon.version])
        let report = ManagerReport(manager: manager, status: status, loop: nil, sincePulse: { crew.worker.pulse.age })
        let reload = ConfigurationReload(
            manager: manager, status: status, load: reload, started: configuration,
            apply: { [settings, level, contract] configuration in
                settings.apply(configuration)
                contract.lookAgain()
                level.value = configuration.logLevel
            }, logger: logger)
        try await run([report, gate] + crew.services + [reload, StopNotice(manager: manager, status: status)])
        pools.close()
    }

    private func prepare() {
        // Until somebody listens for it: it is not to end a service that is only just starting.
        signal(SIGHUP, SIG_IGN)
        ProcessFigures.begin()
        MemoryTrim.limit()
    }

    private static func figures(of worker: Worker) -> [String] {
        [
            ServiceStatus.count(worker.runningCount, "export") + " running",
            "\(worker.counters[.succeeded]) made",
        ]
    }

    private static func figures(of pool: PostgresPool, _ name: String = "the database") -> [String] {
        pool.figures.isAnswering ? [] : ["\(name) cannot be reached"]
    }

    private static func figures(of contract: DirectoryContract) -> [String] {
        switch contract.status {
        case .seen(let faults) where faults.isEmpty: []
        case .seen(let faults):
            ["the directory has \(ServiceStatus.count(faults.count, "fault")): adminexportd check-config"]
        case .unreachable: contract.hasBeenReached ? ["the directory cannot be reached"] : []
        }
    }

    /// What `check-config` has found: the commands that this login can run, and why not the other.
    struct Ability {
        var commands: [String] = []
        var faults: [String] = []
        /// Remarks on settings that may not be intended, and on what cannot be proven of the directory. None is a fault.
        var notes: [String] = []
    }

    /// Tenants of `callers` that are not there now.
    private func notes(_ policy: CallerPolicy, _ directory: DirectoryDatabase) async throws -> [String] {
        try await directory.missing(policy.tenants).map { name in
            switch name {
            case .slug(let slug):
                "callers names the tenant \(slug), but no tenant, or more than one, has this slug now: the entry grants nothing for it; correct the slug, write {key: ...}, or remove the entry"
            case .key(let key):
                "callers names the tenant with the key \(key), but the directory has no such tenant now: the entry grants nothing for it; correct the key or remove the entry"
            }
        }
    }

    /// The checks of `check-config`; throws what is wrong. An installation keeps the logins of the two commands apart, so one is
    /// enough.
    func check() async throws -> Ability {
        try FileSystem.checkArchives(configuration.archives, writing: false)
        let policy = try CallerPolicy(configuration.callers)
        let access = DirectoryDatabase(jobs: pools.api, own: pools.access, contract: contract)
        func gate(_ role: String) -> DatabaseGate {
            DatabaseGate(
                jobs: pools.api, directory: pools.inspection, contract: contract,
                access: role == DatabaseRole.api ? access : nil, roles: [role], logger: logger)
        }
        var ability = Ability()
        var directory = DirectoryInspection()
        var gateOfRows: DatabaseGate?
        var schema: [ContractFault] = []
        for (role, command) in [(DatabaseRole.api, "serve"), (DatabaseRole.worker, "work")] {
            do {
                let gate = gate(role)
                let look = try await gate.check()
                directory.add(look.inspection)
                schema += look.schema
                // The workers' role comes last and reads more: its gate searches the rows.
                gateOfRows = gate
                if role == DatabaseRole.worker {
                    try FileSystem.checkArchives(configuration.archives, writing: true)
                }
                ability.commands.append(command)
            } catch let fault as ConfigurationFault {
                // Whoever serves without workers needs no right to write archives either.
                guard fault.isAboutRole || role == DatabaseRole.worker && !ability.commands.isEmpty else { throw fault }
                ability.faults.append(
                    fault.isAboutRole
                        ? "\(command): that takes the role \(role), which another login has where the two are kept apart"
                        : "\(command): \(fault)")
            }
        }
        guard !ability.commands.isEmpty else {
            throw ConfigurationFault(
                "the database login may assume neither \(DatabaseRole.api), which serving takes, nor \(DatabaseRole.worker), "
                    + "which making exports takes: run adminexportd migrate with --api-login or --worker-login, or grant it one"
            )
        }
        let rows = try await gateOfRows?.wrongRows() ?? WrongRows.Found()
        let faults = (schema + directory.faults + rows.faults).map(\.description)
        guard faults.isEmpty else { throw ConfigurationFault(faults.joined(separator: "\n")) }
        ability.notes =
            directory.notes
            + rows.unread.map {
                "\($0) has too many rows to check for duplicate keys in time; make sure that its view returns each key once"
            }
        if ability.commands.contains("serve") { ability.notes += try await notes(policy, access) }
        return ability
    }

    /// Runs `prune`: what workers do with files and rows as time passes, until nothing is left to do.
    func prune() async throws -> (swept: Retention.Swept, orphans: Int) {
        try FileSystem.checkArchives(configuration.archives, writing: true)
        defer { pools.close() }
        try await DatabaseGate.check(pools.prune, roles: [DatabaseRole.worker])
        let retention = Retention(
            database: JobDatabase(pool: pools.prune, role: DatabaseRole.worker), disk: disk.on(.sweep),
            history: configuration.history,
            logger: logger)
        var swept = Retention.Swept()
        do {
            var more = try await retention.sweep()
            swept += more
            while more.expired + more.removed + more.forgotten > 0 {
                more = try await retention.sweep()
                swept += more
            }
            return (swept, try await retention.sweepOrphans())
        } catch let error as ArchiveError {
            throw ConfigurationFault("the archives: \(error)")
        }
    }

    /// Hears that there is work, and that jobs are over.
    private func listener(work: [Bell], watch: JobWatch?) -> QueueListener {
        QueueListener(
            configuration.options(for: .listening, as: "listen"), work: work, ends: watch.map { [$0.bell] } ?? [],
            share: pools.share, logger: logger)
    }

    /// The services that make exports and look after their files, and what tells them and those who watch that there is something
    /// to see.
    private func crew(slots: Int, watch: JobWatch?) -> (services: [any Service], worker: Worker) {
        let database = JobDatabase(pool: pools.worker, role: DatabaseRole.worker)
        let leases = LeaseStore(
            tenantLimit: { [settings] in settings.limits.runningPerTenant }, lease: configuration.lease,
            deadline: configuration.deadline,
            retention: configuration.retention)
        let runner = ExportRunner(
            directory: pools.export,
            storage: StorageGuard(
                database: database, disk: disk, leastFree: { [settings] in settings.limits.minFreeBytes }),
            contract: contract, disk: disk.on(.work), settings: configuration.workbook)
        let retention = Retention(
            database: database, disk: disk.on(.sweep), history: configuration.history, logger: logger)
        var crew = Worker.Configuration(
            slots: slots, host: ProcessInfo.processInfo.hostName, version: AdminExportDaemon.version)
        crew.history = configuration.history
        crew.furtherCounters = { [pools] in
            let figures = [pools.worker, pools.export, pools.inspection].map(\.figures)
            return [
                .connectionsOpened: figures.reduce(0) { $0 + $1.opened },
                .connectionsLost: figures.reduce(0) { $0 + $1.lost },
                .connectionsFailed: figures.reduce(0) { $0 + $1.failed },
            ]
        }
        #if DEBUG
            crew.observe = { step, _ in StepStop.reached(step) }
        #endif
        let drain = Drain(budget: configuration.drain)
        let worker = Worker(
            crew, database: database, leases: leases, runner: runner, care: retention.bell, drain: drain, logger: logger)
        return ([retention, listener(work: [worker.bell], watch: watch), ForceDrainSignal(drain: drain), worker], worker)
    }

    /// Runs until SIGTERM or SIGINT, or until a service fails. Services stop in reverse order: callers first, so that
    /// nobody asks for what is going away.
    private func run(_ services: [any Service]) async throws {
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // A disk that hangs may keep a thread for ever: then the process ends all the same, and says so.
        let budget = configuration.drain + .seconds(20)
        group.services.append(.init(service: ExitDeadline(budget: budget + .seconds(4), logger: logger)))
        // The first to hear of the stop.
        group.services.append(.init(service: ConnectionWaitEnd(pools: pools)))
        group.maximumGracefulShutdownDuration = budget
        group.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: group).run()
    }
}
