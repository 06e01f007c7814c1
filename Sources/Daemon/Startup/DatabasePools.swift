private import Exports
internal import Logging
internal import Postgres
internal import ServiceLifecycle

/// What a pool of connections is for. The purpose sets its database and its time limits.
struct PoolPurpose {
    /// Part of the application name in `pg_stat_activity`.
    let name: String
    let database: ServiceConfiguration.Database
    let statementTimeout: Duration
    /// How long a request waits for a connection.
    var acquisitionTimeout: Duration = .seconds(5)
    /// How long a server that went silent may take to answer a cancel request.
    var cancelGrace: Duration = .seconds(5)
    /// Whether a transaction is an export's snapshot. It idles while rows are written, for as long as the export may run. Any other
    /// transaction is short: one whose process has stopped must not keep its locks for a lease.
    var isSnapshot = false

    /// Requests of callers. A person waits for the answer.
    static let api = PoolPurpose(name: "api", database: .jobs, statementTimeout: .seconds(10))
    /// Permission checks for requests, if the directory is in a separate database.
    static let access = PoolPurpose(name: "access", database: .directory, statementTimeout: .seconds(10))
    /// Claims, heartbeats and results of workers. With the grace for a silent server, a renewal that hangs leaves time for another
    /// one within a lease.
    static let worker = PoolPurpose(
        name: "worker", database: .jobs, statementTimeout: .seconds(4), cancelGrace: .seconds(1))
    /// Snapshots of exports. A statement counts many millions of rows, or reads a page of long rows from a cold disk. Where the login
    /// has few connections, an export may wait for the end of another; its lease is renewed meanwhile.
    static let export = PoolPurpose(
        name: "export", database: .directory, statementTimeout: .seconds(300), acquisitionTimeout: .seconds(60),
        isSnapshot: true)
    /// Inspections of the directory. The search for wrong rows has a shorter limit of its own for each relation.
    static let inspection = PoolPurpose(name: "inspection", database: .directory, statementTimeout: .seconds(25))
    /// Audit events that no caller waits for. They neither wait for callers nor take a connection from them.
    static let trail = PoolPurpose(name: "trail", database: .jobs, statementTimeout: .seconds(10))
    /// The command `prune`.
    static let prune = PoolPurpose(name: "prune", database: .jobs, statementTimeout: .seconds(10))
}

/// The pools of a process, one for each purpose, so that none delays another. A pool opens connections when they are needed.
struct DatabasePools {
    let api: PostgresPool
    /// nil: the directory has the URL of the jobs' database, and ``api`` serves both.
    let access: PostgresPool?
    let worker: PostgresPool
    /// Two connections for each worker: a large export reads on both.
    let export: PostgresPool
    /// One for the inspection of the schema, and one for the search for wrong rows.
    let inspection: PostgresPool
    let trail: PostgresPool
    let prune: PostgresPool
    /// The connections of the jobs' server and login.
    let share: ConnectionShare
    /// The connections of the directory's server and login; the same object if both are those of the jobs.
    private let directoryShare: ConnectionShare

    init(_ configuration: ServiceConfiguration, logger: Logger) {
        func share(_ database: String) -> ConnectionShare {
            ConnectionShare { error in
                logger.report(DaemonEvent.connectionsLimited, [.database: database, .error: error])
            }
        }
        let jobs = share("jobs")
        let directory =
            ConnectionString.haveOneLogin(configuration.databaseURL, configuration.directoryURL) ? jobs : share("directory")
        (self.share, directoryShare) = (jobs, directory)
        func pool(_ purpose: PoolPurpose, size: Int) -> PostgresPool {
            var options = configuration.options(for: purpose.database, as: purpose.name)
            options.statementTimeout = purpose.statementTimeout
            options.cancelGrace = purpose.cancelGrace
            options.idleInTransactionTimeout = purpose.isSnapshot ? configuration.deadline : .seconds(5)
            return PostgresPool(
                options, size: size, acquisitionTimeout: purpose.acquisitionTimeout,
                share: purpose.database == .directory ? directory : jobs)
        }
        let workers = max(1, configuration.workers)
        api = pool(.api, size: 8)
        access = configuration.isDirectoryApart ? pool(.access, size: 4) : nil
        worker = pool(.worker, size: workers + 3)
        export = pool(.export, size: 2 * workers)
        inspection = pool(.inspection, size: 2)
        trail = pool(.trail, size: 1)
        prune = pool(.prune, size: 1)
    }

    /// Ends the waits for connections that the server refuses.
    func stopWaiting() {
        share.stopWaiting()
        directoryShare.stopWaiting()
    }

    func close() {
        for pool in [api, access, worker, export, inspection, trail, prune] { pool?.close() }
    }
}

/// Ends the waits for connections at shutdown, so that no service that stops waits for one that the server refuses.
struct ConnectionWaitEnd: Service {
    let pools: DatabasePools

    func run() async throws {
        try? await gracefulShutdown()
        pools.stopWaiting()
    }
}
