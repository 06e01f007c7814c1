internal import Archive
internal import Directory
private import ExportAPI
private import Foundation
internal import Exports
internal import Jobs
internal import JSONRPC
internal import Logging
internal import NIOCore
private import NIOPosix
internal import Postgres
internal import ServiceLifecycle
internal import Sockets
private import SystemPackage
internal import Systemd
private import UnixSignals

/// Puts the services of a process together from its configuration.
struct Assembly {
    /// Short statements: whoever waits for an answer has a person behind them.
    private static let queueStatementTimeout: Duration = .seconds(10)
    /// The worker's own: with the grace for a silent server, a renewal that hangs leaves time for another within a lease.
    private static let leaseStatementTimeout: Duration = .seconds(4)
    private static let idleInTransaction: Duration = .seconds(5)
    /// A count of many millions, or a page of long rows from a cold disk.
    private static let directoryStatementTimeout: Duration = .seconds(300)

    let configuration: ServiceConfiguration
    let logger: Logger
    private let disk: ArchiveDisk
    private let contract = DirectoryContract()

    init(_ configuration: ServiceConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        #if DEBUG
            let calls: any FileSystemCalls = StepCalls()
        #else
            let calls: any FileSystemCalls = SystemCalls()
        #endif
        disk = ArchiveDisk(store: ArchiveStore(root: FilePath(configuration.archives), calls: calls))
    }

    private func pool(_ url: String, _ name: String, size: Int, timeout: Duration) -> PostgresPool {
        var options = ConnectionOptions(connectionString: url)
        options.applicationName = "adminexportd \(name)"
        options.statementTimeout = timeout
        options.keepsSession = configuration.keepsSessions
        // An export's snapshot idles while its rows are written, and a slow disk is no reason to lose it.
        // Any other transaction is over in a moment: one whose process has stopped must not keep its locks for a lease.
        options.idleInTransactionTimeout =
            timeout > Self.queueStatementTimeout ? configuration.deadline : Self.idleInTransaction
        if timeout == Self.leaseStatementTimeout { options.cancelGrace = .seconds(1) }
        return PostgresPool(options, size: size)
    }

    /// The pools of a process: for callers, for the queue, and for the exports themselves, so that none holds up another. A large
    /// export reads on two connections.
    private func pools(workers: Int) -> (api: PostgresPool, queue: PostgresPool, directory: PostgresPool) {
        (
            pool(configuration.databaseURL, "api", size: 8, timeout: Self.queueStatementTimeout),
            pool(configuration.databaseURL, "worker", size: workers + 3, timeout: Self.leaseStatementTimeout),
            pool(configuration.directoryURL, "export", size: 2 * max(1, workers), timeout: Self.directoryStatementTimeout)
        )
    }

    /// Runs `serve`: the socket, and workers where the configuration has some.
    ///
    /// - Parameter reload: reads the configuration again, at SIGHUP.
    func serve(manager: ServiceManager, reload: @escaping @Sendable () throws -> ServiceConfiguration) async throws {
        // Until somebody listens for it: it is not to end a service that is only just starting.
        signal(SIGHUP, SIG_IGN)
        DescriptorLimit.raise()
        MemoryTrim.limit()
        let workers = configuration.workers
        try FileSystem.checkArchives(configuration.archives, writing: workers > 0)
        let policy = try CallerPolicy(configuration.callers)
        let pools = pools(workers: workers)
        let gate = DatabaseGate(
            jobs: pools.api, directory: pools.directory, contract: contract,
            roles: [DatabaseRole.api] + (workers > 0 ? [DatabaseRole.worker] : []), logger: logger)
        let isReady = try await gate.tryOnce()
        let socket = try Self.socket(configuration.socket)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var limits = ExportService.Limits()
        limits.queuedPerTenant = configuration.limits.queuedPerTenant
        let watch = JobWatch(database: JobDatabase(pool: pools.api, role: DatabaseRole.api), logger: logger)
        let transfers = Transfers(limits: configuration.transferLimits, logger: logger)
        let exports = ExportService(
            pool: pools.api, contract: contract, disk: disk, transfers: transfers, watch: watch, limits: limits)
        let server = SocketServer(
            socket: socket, group: group, dispatcher: dispatcher(exports), policy: policy, limits: configuration.limits,
            logger: logger)
        manager.ready(status: isReady ? "Serving" : "Serving; the database cannot be reached")
        logger.notice("Serving", metadata: ["workers": "\(workers)", "version": "\(AdminExportDaemon.version)"])
        // Those that serve stop before what they need.
        var services: [any Service] = [gate, watch, TransferEnd(transfers: transfers)]
        services += self.workers(pools.queue, pools.directory, slots: workers, watch: watch)
        services += [server, CallerReload(server: server, load: reload, logger: logger), MemoryTrim(server: server)]
        try await run(services, manager)
        try await group.shutdownGracefully()
        for pool in [pools.api, pools.queue, pools.directory] { pool.close() }
    }

    /// Runs `work`: workers, and no socket.
    func work(manager: ServiceManager) async throws {
        // It has nothing that could be read again, and is not to die of being asked.
        signal(SIGHUP, SIG_IGN)
        MemoryTrim.limit()
        let workers = max(1, configuration.workers)
        try FileSystem.checkArchives(configuration.archives, writing: true)
        let pools = pools(workers: workers)
        let gate = DatabaseGate(
            jobs: pools.queue, directory: pools.directory, contract: contract, roles: [DatabaseRole.worker], logger: logger)
        let isReady = try await gate.tryOnce()
        manager.ready(status: isReady ? "Working" : "Waiting for the database")
        logger.notice("Working", metadata: ["workers": "\(workers)", "version": "\(AdminExportDaemon.version)"])
        try await run([gate] + self.workers(pools.queue, pools.directory, slots: workers, watch: nil), manager)
        for pool in [pools.queue, pools.directory] { pool.close() }
    }

    /// The checks of `check-config`; throws what is wrong.
    func check() async throws {
        try FileSystem.checkArchives(configuration.archives, writing: false)
        _ = try CallerPolicy(configuration.callers)
        let pools = pools(workers: 1)
        let gate = DatabaseGate(
            jobs: pools.api, directory: pools.directory, contract: contract,
            roles: [DatabaseRole.api, DatabaseRole.worker], logger: logger)
        try await gate.check()
    }

    /// Runs `prune`: what workers do with files and rows as time passes, until nothing is left to do.
    func prune() async throws -> (swept: Retention.Swept, orphans: Int) {
        try FileSystem.checkArchives(configuration.archives, writing: true)
        let pool = pool(configuration.databaseURL, "prune", size: 1, timeout: Self.queueStatementTimeout)
        defer { pool.close() }
        try await DatabaseGate.check(pool, roles: [DatabaseRole.worker])
        let retention = Retention(
            database: JobDatabase(pool: pool, role: DatabaseRole.worker), disk: disk, history: configuration.history,
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

    /// The services that make exports and look after their files, where there are slots, and what tells them and those who watch
    /// that there is something to see.
    private func workers(
        _ queue: PostgresPool, _ directory: PostgresPool, slots: Int, watch: JobWatch?
    ) -> [any Service] {
        var options = ConnectionOptions(connectionString: configuration.listenURL)
        options.applicationName = "adminexportd listen"
        guard slots > 0 else {
            return [QueueListener(options, work: [], ends: watch.map { [$0.bell] } ?? [], logger: logger)]
        }
        let database = JobDatabase(pool: queue, role: DatabaseRole.worker)
        let leases = LeaseStore(
            tenantLimit: configuration.limits.runningPerTenant, lease: configuration.lease, deadline: configuration.deadline,
            retention: configuration.retention)
        // A thread each: whoever lists all archives, or waits for a slow one, holds up nobody else.
        let store = disk.store
        let (disk, guardDisk, retentionDisk) = (
            ArchiveDisk(store: store), ArchiveDisk(store: store), ArchiveDisk(store: store)
        )
        let runner = ExportRunner(
            directory: directory,
            storage: StorageGuard(database: database, disk: guardDisk, leastFree: configuration.leastFreeBytes),
            contract: contract, disk: disk, settings: configuration.workbook)
        let retention = Retention(
            database: database, disk: retentionDisk, history: configuration.history, logger: logger)
        var settings = Worker.Configuration(
            slots: slots, host: ProcessInfo.processInfo.hostName, version: AdminExportDaemon.version)
        settings.history = configuration.history
        #if DEBUG
            settings.observe = { step, _ in StepStop.reached(step) }
        #endif
        let worker = Worker(
            settings, database: database, leases: leases, runner: runner, care: retention.bell, logger: logger)
        let listener = QueueListener(
            options, work: [worker.bell], ends: watch.map { [$0.bell] } ?? [], logger: logger)
        return [retention, listener, worker]
    }

    private func dispatcher(_ exports: ExportService) -> ServiceDispatcher {
        let translation = ErrorTranslation(logger: logger)
        let dispatcher = ServiceDispatcher(
            [
                AuditListHandler(exports: exports).method,
                ExportCancelHandler(exports: exports).method, ExportDeleteHandler(exports: exports).method,
                ExportGetHandler(exports: exports).method, ExportListHandler(exports: exports).method,
                ExportOpenHandler(exports: exports).method, ExportReadHandler(exports: exports).method,
                ExportStartHandler(exports: exports).method, ExportUnwatchHandler().method,
                ExportWaitHandler(exports: exports).method, ExportWatchHandler(exports: exports).method,
                RPCDiscoverHandler().method, ServiceHealthHandler(probe: HealthProbe(exports: exports)).method,
                ServiceDrainHandler(exports: exports).method, ServiceHoldHandler(exports: exports).method,
                ServiceInfoHandler(limits: configuration.limits).method, ServicePauseHandler(exports: exports).method,
                ServiceResumeHandler(exports: exports).method, ServiceWorkersHandler(exports: exports).method,
            ]
        ) { error, method in translation(error, in: method) }
        precondition(
            dispatcher.names == MethodDescription.all.map(\.name).sorted(), "what is served is not what is described")
        return dispatcher
    }

    private static func socket(_ path: String) throws -> ListeningSocket {
        do {
            let inherited = try InheritedSockets.take()
            guard inherited.count <= 1 else {
                throw ConfigurationFault("the service manager passed \(inherited.count) sockets, and one is served")
            }
            return try inherited.first.map { raw throws(SocketError) in try ListeningSocket(inherited: raw) }
                ?? ListeningSocket(path: path)
        } catch let error as SocketError {
            throw ConfigurationFault("the socket \(path): \(error)")
        }
    }

    /// Runs until SIGTERM or SIGINT, or until a service fails. Services stop in reverse order: callers first, so that
    /// nobody asks for what is going away.
    private func run(_ services: [any Service], _ manager: ServiceManager) async throws {
        var group = ServiceGroupConfiguration(
            services: [StopNotice(manager: manager)] + services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(20)
        group.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: group).run()
    }
}

/// Tells the service manager that the process is on its way out.
private struct StopNotice: Service {
    let manager: ServiceManager

    func run() async throws {
        await withGracefulShutdownHandler {
            try? await gracefulShutdown()
        } onGracefulShutdown: {
            manager.stopping()
        }
    }
}
