private import AdminExportAPI
internal import Archive
internal import Directory
private import Evidence
internal import Exports
private import Dispatch
private import Foundation
private import Glibc
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

    /// Runs `serve`: the socket, and workers if the configuration has some.
    ///
    /// - Parameter load: reads the configuration again, at SIGHUP.
    func serve(
        manager: ServiceManager, socket: SocketActivation, load: @escaping @Sendable () throws -> ServiceConfiguration
    ) async throws {
        prepare()
        DescriptorLimit.raise()
        guard !UserNamespace.isConfined else {
            throw ConfigurationFault(
                "this process runs in a user namespace in which it cannot distinguish its callers; remove PrivateUsers= from its unit"
            )
        }
        let slots = configuration.workers
        try FileSystem.checkArchives(configuration.archives, writing: slots > 0)
        let policy = try CallerPolicy(configuration.callers)
        let directory = DirectoryDatabase(jobs: pools.api, own: pools.access, contract: contract)
        let inspector = DirectoryInspector(
            jobs: pools.api, directory: pools.inspection, contract: contract, access: directory,
            roles: [DatabaseRole.api] + (slots > 0 ? [DatabaseRole.worker] : []), attributes: configuration.attributes,
            logger: logger)
        try await inspector.start()
        let listening = try socket.listen(path: configuration.socket)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let watch = JobWatch(database: JobDatabase(pool: pools.api, role: DatabaseRole.api), logger: logger)
        let metrics = ServerMetrics()
        let transfers = Transfers(limits: { [settings] in settings.transferLimits }, logger: logger) { metrics.sent($0) }
        let trail = AuditWriter(
            pool: pools.trail, directory: { [directory] in directory.isKnownApart ? directory.pool : nil }, logger: logger)
        let own = slots > 0 ? try workerServices(slots: slots, watch: watch) : nil
        let exports = ExportService(
            pool: pools.api, directory: directory, disk: disk, transfers: transfers, watch: watch, trail: trail,
            worker: own?.worker, bounds: { [settings] in settings.startLimits },
            attributes: configuration.attributes, otherGroups: { [settings] in settings.otherGroups },
            hasSigningKey: { [settings] in settings.publicKeys.contains { $0.status == .active } })
        let server = SocketServer(
            socket: listening, group: group,
            dispatcher: dispatcher(exports, metrics, transfers, trail, pools.api, inspector), policy: policy,
            settings: settings, metrics: metrics, logger: logger)
        let status = ServiceStatus("Serving") { [contract, pools] in
            [ServiceStatus.count(metrics.figures.connections, "caller"), ServiceStatus.count(transfers.count, "download")]
                + (own.map { Self.figures(of: $0.worker) } ?? []) + Self.figures(of: pools.api)
                + (pools.access.map { Self.figures(of: $0, "the directory") } ?? []) + Self.figures(of: contract)
        }
        manager.ready(status: status.text)
        logger.report(DaemonEvent.serving, [.workers: slots, .version: AdminExportDaemon.version])
        // Services stop in reverse order: those that serve stop before what they need.
        try await run(
            [
                ManagerReport(
                    manager: manager, status: status, loop: group.any(), sinceProgress: { own?.worker.liveness.age }),
                inspector, trail, watch, transfers,
            ] + (own?.services ?? [listener(watch: watch)]) + [
                server, MemoryTrim(server: server), reload(load, manager, status, server: server, hasWorkers: slots > 0),
                StopNotice(manager: manager, status: status),
            ])
        try await group.shutdownGracefully()
        pools.close()
    }

    /// Runs `work`: workers, and no socket.
    func work(manager: ServiceManager, load: @escaping @Sendable () throws -> ServiceConfiguration) async throws {
        prepare()
        let slots = max(1, configuration.workers)
        try FileSystem.checkArchives(configuration.archives, writing: true)
        let inspector = DirectoryInspector(
            jobs: pools.worker, directory: pools.inspection, contract: contract, access: nil, roles: [DatabaseRole.worker],
            attributes: configuration.attributes, logger: logger)
        try await inspector.start()
        let (worker, services) = try workerServices(slots: slots, watch: nil)
        let status = ServiceStatus("Working") { [contract, pools] in
            Self.figures(of: worker) + Self.figures(of: pools.worker) + Self.figures(of: contract)
        }
        manager.ready(status: status.text)
        logger.report(DaemonEvent.working, [.workers: slots, .version: AdminExportDaemon.version])
        try await run(
            [
                ManagerReport(manager: manager, status: status, loop: nil, sinceProgress: { worker.liveness.age }),
                inspector,
            ] + services + [
                reload(load, manager, status, server: nil, hasWorkers: true), StopNotice(manager: manager, status: status),
            ])
        pools.close()
    }

    private func reload(
        _ load: @escaping @Sendable () throws -> ServiceConfiguration, _ manager: ServiceManager, _ status: ServiceStatus,
        server: SocketServer?, hasWorkers: Bool
    ) -> ConfigurationReload {
        ConfigurationReload(
            manager: manager, status: status, load: load, started: configuration,
            apply: { [settings, level, contract, logger] configuration in
                let policy = try server.map { _ in try CallerPolicy(configuration.callers) }
                settings.apply(configuration)
                contract.requestInspection()
                level.value = configuration.logLevel
                if let policy { server?.apply(policy) }
                guard hasWorkers else { return }
                do {
                    _ = try configuration.signingKey()
                } catch {
                    // Exports go on without receipts.
                    logger.report(DaemonEvent.configurationWarning, [.warning: error])
                }
            }, logger: logger)
    }

    /// Whether signatures of the worker's key count now, after reloads, too.
    private func isActive(_ key: SigningKey) -> @Sendable () -> Bool {
        let own = key.verificationKey
        return { [settings] in settings.publicKeys.allSatisfy { !$0.isSameKey(as: own) || $0.status == .active } }
    }

    private func prepare() {
        // SIGHUP must not end a process that does not handle it yet.
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

    /// Runs `prune`: expires jobs and removes files and rows, as the workers' maintenance does, until nothing is left to do.
    func prune() async throws -> (swept: Retention.Swept, orphans: Int) {
        try FileSystem.checkArchives(configuration.archives, writing: true)
        defer { pools.close() }
        try await DatabaseCheck.run(pools.prune, roles: [DatabaseRole.worker])
        let retention = Retention(
            database: JobDatabase(pool: pools.prune, role: DatabaseRole.worker), disk: disk.on(.sweep),
            history: configuration.history, logger: logger)
        var swept = Retention.Swept()
        do {
            var more = try await retention.sweep()
            swept += more
            while more.hasProgress {
                more = try await retention.sweep()
                swept += more
            }
            return (swept, try await retention.sweepOrphans())
        } catch let error as ArchiveError {
            throw ConfigurationFault("the archives: \(error)")
        }
    }

    private func listener(worker: Worker? = nil, watch: JobWatch?) -> QueueListener {
        QueueListener(
            configuration.options(for: .listening, as: "listen"), worker: worker, watch: watch, share: pools.share,
            logger: logger)
    }

    /// The worker, and the services that go with one: the maintenance of files and rows, and the listener for notifications of the
    /// queue, which also wakes those that watch jobs.
    ///
    /// - Throws: ``ConfigurationFault`` if the signing key cannot be used.
    private func workerServices(slots: Int, watch: JobWatch?) throws -> (worker: Worker, services: [any Service]) {
        let key = try configuration.signingKey()
        if let warning = key.flatMap(configuration.warning(about:)) {
            logger.report(DaemonEvent.configurationWarning, [.warning: warning])
        }
        let database = JobDatabase(pool: pools.worker, role: DatabaseRole.worker)
        let leases = LeaseStore(
            tenantLimit: { [settings] in settings.limits.runningPerTenant }, lease: configuration.lease,
            deadline: configuration.deadline, retention: configuration.retention)
        let signer = key.map {
            EvidenceSigner(key: $0, database: database, isActive: isActive($0)) { WorkbookName.name(tenant: $0, day: $1) }
        }
        let checkpoints = signer.map {
            CheckpointMaker(database: database, signer: $0, version: AdminExportDaemon.version, logger: logger)
        }
        let runner = ExportRunner(
            directory: pools.export,
            storage: StorageGuard(
                database: database, disk: disk, minFree: { [settings] in settings.limits.minFreeBytes }),
            contract: contract, disk: disk.on(.export), settings: configuration.workbook,
            attributes: configuration.attributes,
            otherGroups: { [settings] in settings.otherGroups },
            signer: signer)
        let maintenance = Retention(
            database: database, disk: disk.on(.sweep), history: configuration.history, logger: logger)
        var options = Worker.Configuration(
            slots: slots, host: ProcessInfo.processInfo.hostName, version: AdminExportDaemon.version)
        options.history = configuration.history
        options.furtherCounters = { [pools] in
            let figures = [pools.worker, pools.export, pools.inspection].map(\.figures)
            return [
                .connectionsOpened: figures.reduce(0) { $0 + $1.opened },
                .connectionsLost: figures.reduce(0) { $0 + $1.lost },
                .connectionsFailed: figures.reduce(0) { $0 + $1.failed },
            ]
        }
        if let watch { options.onAttemptEnd = { job in job.map(watch.reportChange(of:)) ?? watch.queryNow() } }
        #if DEBUG
            options.observe = { step, _ in StepStop.reached(step) }
        #endif
        let drain = Drain(budget: configuration.drain)
        let worker = Worker(
            options, database: database, leases: leases, runner: runner, maintenance: maintenance.wakeSignal, drain: drain,
            logger: logger)
        return (
            worker,
            [
                maintenance, listener(worker: worker, watch: watch),
                ForceDrainSignal(drain: drain),
            ] + (checkpoints.map { [$0] } ?? []) + [worker]
        )
    }

    /// Runs until SIGTERM or SIGINT, or until a service fails. Services stop in reverse order.
    private func run(_ services: [any Service]) async throws {
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // A disk that hangs may block a thread forever. The process ends all the same.
        let budget = configuration.drain + .seconds(20)
        group.services.append(.init(service: ExitDeadline(budget: budget + .seconds(4), logger: logger)))
        // Stops first.
        group.services.append(.init(service: ConnectionWaitEnd(pools: pools)))
        group.maximumGracefulShutdownDuration = budget
        group.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: group).run()
    }
}

/// Ends the process if its services have not stopped in time. Other processes take over what it held, as after a crash.
private struct ExitDeadline: Service {
    let budget: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        DispatchQueue.global().asyncAfter(deadline: .now() + budget / .seconds(1)) { [logger, budget] in
            logger.report(DaemonEvent.stopOverdue, [.seconds: budget.components.seconds])
            _exit(1)
        }
    }
}
