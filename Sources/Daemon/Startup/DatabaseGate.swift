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
        try await Self.translating {
            try await directory.withConnection { [contract, roles] connection in
                try await Migrator.checkRoles(roles.filter { $0 == DatabaseRole.worker }, on: connection)
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

    private static func translating(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as SchemaError {
            throw ConfigurationFault("\(error)", mayPass: error.isOfAMigration, isAboutRole: error.isAboutRole)
        } catch let error as DirectoryError {
            guard case .sourceInvalid(let fault) = error else { throw error }
            throw ConfigurationFault(fault)
        } catch let error as PostgresError where !error.isTransient {
            throw ConfigurationFault(Self.sentence(error), mayPass: error.sqlState.map(Self.notThereYet.contains) ?? false)
        }
    }

    private static func inspect(_ connection: PostgresConnection, roles: [String]) async throws {
        try await Migrator.checkRoles(roles, on: connection)
        try await connection.withTransaction(readOnly: true, role: roles.first) { connection in
            try await Migrator.check(on: connection)
        }
    }

    /// What to do about it.
    static func hint(_ error: PostgresError) -> String {
        switch error.sqlState {
        case "3D000": ". Create it, or name another in database.url"
        case "28000":
            ". The login is that of the system's user where database.url names none; adminexportd migrate creates it with "
                + "--api-login and --worker-login, as adminexport-migrate.service does"
        case "28P01": ". Check the password: the credential database-password, or database.url"
        default: ""
        }
    }

    /// What PostgreSQL said when it refused the connection names users and databases, which the operator needs.
    private static func sentence(_ error: PostgresError) -> String {
        switch error.code {
        case .refused, .invalidConnectionString: "the database refused the connection: \(error.message)\(hint(error))"
        default: "the database cannot be used: \(error.debugDescription)"
        }
    }
}
