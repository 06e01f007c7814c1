internal import Directory
internal import Exports
internal import Jobs
internal import Logging
internal import Postgres
internal import ServiceLifecycle

/// Holds the databases to what this process needs, at start and, while they cannot be reached, again and again.
///
/// A database that is away is waited for. One that is there and wrong is a ``ConfigurationFault``, which ends the process.
struct DatabaseGate: Service {
    let jobs: PostgresPool
    let directory: PostgresPool
    let contract: DirectoryContract
    /// How callers' questions reach the directory; nil where none are served.
    let access: DirectoryDatabase?
    let roles: [String]
    let logger: Logger

    /// One attempt, for the start of the process.
    ///
    /// - Returns: false where a database cannot be reached now.
    func tryOnce() async throws -> Bool {
        do {
            try await check()
            return true
        } catch let error as PostgresError where error.isTransient {
            logger.warning("The database cannot be reached", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// How long after the start a database that has come back may be without the schema: it is migrated then, in all likelihood.
    private static let migration: Duration = .seconds(60)

    func run() async throws {
        var unmigrated: ContinuousClock.Instant?
        var backoff = Backoff(cap: .seconds(5))
        while (try? contract.keys) == nil, !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                try await check()
                logger.notice("The database is there")
            } catch let error as PostgresError where error.isTransient {
                unmigrated = nil
                await pause(backoff.next())
            } catch let fault as ConfigurationFault where fault.mayPass {
                if unmigrated == nil {
                    logger.warning("The schema is not there yet", metadata: ["error": "\(fault)"])
                }
                let since = unmigrated ?? .now
                guard since.duration(to: .now) < Self.migration else { throw fault }
                unmigrated = since
                await pause(.seconds(1))
            }
        }
        try? await gracefulShutdown()
    }

    private func pause(_ time: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: time) }
    }

    /// - Throws: ``ConfigurationFault`` for what somebody has to change; a transient ``PostgresError``.
    func check() async throws {
        try await Self.check(jobs, roles: roles)
        let isApart = directory.options.connectionString != jobs.options.connectionString
        try await Self.translating(isApart ? .directory : .jobs) {
            try await directory.withConnection { [contract, roles, access] connection in
                // Callers' questions are asked there where it is a database of its own.
                let isApart = try await access?.locate(from: connection) ?? false
                try await Migrator.checkRoles(
                    roles.filter { $0 == DatabaseRole.worker || isApart && $0 == DatabaseRole.api }, on: connection)
                try await contract.load(on: connection)
            }
        }
    }

    /// A login or a database that is not there (SQLSTATE 28000, 3D000): a migration makes the first, somebody the other.
    private static let notThereYet: Set<String> = ["28000", "3D000"]

    /// The part about the job table.
    static func check(_ jobs: PostgresPool, roles: [String]) async throws {
        try await translating {
            try await jobs.withConnection { connection in
                try await Self.inspect(connection, roles: roles)
            }
        }
    }

    /// - Parameter database: which is asked, for the words of a fault.
    private static func translating(
        _ database: ServiceConfiguration.Database = .jobs, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as SchemaError {
            throw ConfigurationFault(
                database == .jobs ? "\(error)" : Self.sentence(error), mayPass: error.isOfAMigration,
                isAboutRole: error.isAboutRole)
        } catch let error as DirectoryError {
            guard case .sourceInvalid(let fault) = error else { throw error }
            throw ConfigurationFault(fault)
        } catch let error as PostgresError where !error.isTransient {
            throw ConfigurationFault(
                Self.sentence(error, database), mayPass: error.sqlState.map(Self.notThereYet.contains) ?? false)
        }
    }

    private static func inspect(_ connection: PostgresConnection, roles: [String]) async throws {
        try await Migrator.checkRoles(roles, on: connection)
        try await connection.withTransaction(readOnly: true, role: roles.first) { connection in
            try await Migrator.check(on: connection)
        }
    }

    /// The same of a directory that has a URL of its own.
    private static func sentence(_ error: SchemaError) -> String {
        if case .missing = error {
            return
                "directory.url leads to a server without the service's roles: run adminexportd migrate --grant-directory with "
                + "--api-login and --worker-login, and a directory.url whose login may create roles"
        }
        return "directory.url: \(error)"
    }

    /// What to do about it.
    static func hint(_ error: PostgresError, _ database: ServiceConfiguration.Database = .jobs) -> String {
        let key = database == .directory ? "directory.url" : "database.url"
        return switch error.sqlState {
        case "3D000": ". Create it, or name another in \(key)"
        case "28000":
            ". The login is that of the system's user where \(key) names none; adminexportd migrate creates it with "
                + "--api-login and --worker-login, as adminexport-migrate.service does"
        case "28P01":
            ". Check the password: the credential \(database == .directory ? "directory-password" : "database-password"), or \(key)"
        default: ""
        }
    }

    /// What PostgreSQL said when it refused the connection names users and databases, which the operator needs.
    private static func sentence(_ error: PostgresError, _ database: ServiceConfiguration.Database) -> String {
        let name = database == .directory ? "the directory's database" : "the database"
        return switch error.code {
        case .refused, .invalidConnectionString:
            "\(name) refused the connection: \(error.message)\(hint(error, database))"
        default: "\(name) cannot be used: \(error.debugDescription)"
        }
    }
}
