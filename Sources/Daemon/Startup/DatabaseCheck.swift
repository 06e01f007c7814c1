internal import Exports
internal import Postgres

/// Checks a database for the schema and the roles that a process needs, and explains what an operator has to change.
enum DatabaseCheck {
    /// A login or a database that does not exist (SQLSTATE 28000, 3D000): a migration that is under way may create it.
    private static let createdByMigration: Set<String> = ["28000", "3D000"]

    /// Checks the database with the job table.
    ///
    /// - Throws: ``ConfigurationFault``; a transient ``PostgresError``.
    static func run(_ jobs: PostgresPool, roles: [String]) async throws {
        try await translatingFaults(of: .jobs) {
            try await jobs.withConnection { connection in
                try await Migrator.checkRoles(roles, on: connection)
                try await connection.withTransaction(readOnly: true, role: roles.first) { try await Migrator.check(on: $0) }
            }
        }
    }

    /// - Parameter database: the database that the body reads; the fault names its key.
    /// - Throws: ``ConfigurationFault`` for errors that last; other errors of the body unchanged.
    static func translatingFaults<Result>(
        of database: ServiceConfiguration.Database, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as SchemaError {
            throw ConfigurationFault(
                database == .jobs ? "\(error)" : directoryFault(error), mayPass: error.isOfAMigration,
                isAboutRole: error.isAboutRole)
        } catch let error as PostgresError where !error.isTransient {
            throw ConfigurationFault(
                fault(error, database), mayPass: error.sqlState.map(createdByMigration.contains) ?? false)
        }
    }

    /// For a login, a database or a server without a free connection.
    static let connectionsHint =
        "All connections are in use, probably by a running service: stop what uses them, or allow more with ALTER ROLE … CONNECTION "
        + "LIMIT, ALTER DATABASE … CONNECTION LIMIT or max_connections"

    /// What the operator can do about the error; a sentence that follows another, or nothing.
    static func hint(_ error: PostgresError, _ database: ServiceConfiguration.Database = .jobs) -> String {
        let key = database == .directory ? "directory.url" : "database.url"
        return switch error.sqlState {
        case "3D000": ". Create the database, or name another one in \(key)"
        case "28000":
            ". Without a login in \(key), the login has the name of the system's user. adminexportd migrate creates logins with "
                + "--api-login and --worker-login, as adminexport-migrate.service does"
        case "28P01":
            ". Check the password in the credential \(database == .directory ? "directory-password" : "database-password") or in \(key)"
        default: ""
        }
    }

    private static func directoryFault(_ error: SchemaError) -> String {
        guard case .missing = error else { return "directory.url: \(error)" }
        return
            "the server at directory.url does not have the service's roles: run adminexportd migrate --grant-directory with "
            + "--api-login and --worker-login, and a directory.url whose login may create roles"
    }

    /// Where PostgreSQL refuses the connection, its message names users and databases. The operator needs these names.
    private static func fault(_ error: PostgresError, _ database: ServiceConfiguration.Database) -> String {
        let name = database == .directory ? "the directory's database" : "the database"
        return switch error.code {
        case .refused, .invalidConnectionString:
            "\(name) refused the connection: \(error.message)\(hint(error, database))"
        case .unsuitable: "\(name) cannot be used: \(error.message)"
        default: "\(name) cannot be used: \(error.debugDescription)"
        }
    }
}
