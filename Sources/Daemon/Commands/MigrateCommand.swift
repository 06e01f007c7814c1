internal import ArgumentParser
private import Exports
private import Postgres

/// Migrates the database to this version's schema.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create or upgrade the database schema; safe to run again.",
        discussion: """
            Runs as a login that may create roles and schemas, the first time; as a member of adminexport_owner later. The \
            logins of the service need its roles: --api-login and --worker-login make them, or say yourself \
            GRANT adminexport_api, adminexport_worker TO the_login.

            Where directory.url leads to a database of its own, what is about the directory is done there, and the roles and \
            logins are made on both servers.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Create the directory's relations as tables, where there are none.")
    var withDirectory = false

    @Flag(help: "Grant the service's roles the columns of the directory that they read, if it is there.")
    var grantDirectory = false

    @Option(help: "Create this login, if there is none, and let it serve callers.")
    var apiLogin: String?

    @Option(help: "Create this login, if there is none, and let it make exports.")
    var workerLogin: String?

    func validate() throws {
        for login in [apiLogin, workerLogin].compactMap(\.self) where !Migrator.isLogin(login) {
            throw ValidationError("A login is a letter or _, and up to 62 letters, digits, _ and - after it.")
        }
    }

    func run() async throws {
        try await reportingFaults {
            let configuration = try common.load().configuration
            var options = configuration.options(for: .jobs, as: "migrate")
            options.statementTimeout = .seconds(600)
            let connection = try await PostgresConnection.connect(options)
            var request = Migrator.Request()
            request.createsDirectory = withDirectory
            request.grantsDirectory = grantDirectory
            request.apiLogin = apiLogin
            request.workerLogin = workerLogin
            let directory = try await ownDirectory(configuration, beside: connection)
            if directory != nil { (request.createsDirectory, request.grantsDirectory) = (false, false) }
            var outcome = try await Migrator().run(request, on: connection)
            if let directory {
                request.createsDirectory = withDirectory
                request.grantsDirectory = grantDirectory
                let prepared = try await Migrator().prepareDirectory(request, on: directory)
                outcome.createdDirectory = prepared.createdDirectory
                outcome.grantedDirectory = prepared.grantedDirectory
                outcome.createdLogins += prepared.createdLogins.filter { !outcome.createdLogins.contains($0) }
            }
            print(
                outcome.applied.isEmpty
                    ? "The schema is up to date (version \(Migrator.version))."
                    : "Applied schema version \(outcome.applied.map(String.init).joined(separator: ", ")).")
            if outcome.keyedEvents > 0 { print("Gave \(outcome.keyedEvents) older audit events their tenant's key.") }
            if withDirectory {
                print(outcome.createdDirectory ? "Created the directory's tables." : "The directory is there already.")
            }
            if grantDirectory, !withDirectory {
                print(
                    outcome.grantedDirectory
                        ? "Granted the service the directory's columns."
                        : "There is no directory yet: make its views, and run this again.")
            }
            for login in outcome.createdLogins { print("Created the login \(login).") }
        }
    }

    /// A session in the directory's separate database; nil if the directory is in the jobs' database, or cannot be reached.
    private func ownDirectory(
        _ configuration: ServiceConfiguration, beside jobs: PostgresConnection
    ) async throws -> PostgresConnection? {
        guard withDirectory || grantDirectory else { return nil }
        do {
            return try await configuration.connectToOwnDirectory(
                beside: jobs, as: "migrate", statementTimeout: .seconds(600))
        } catch let error as PostgresError {
            guard !withDirectory else { throw ConfigurationFault("directory.url cannot be reached: \(error.message)") }
            // A standby of the jobs' database needs no migration, and the migration must not wait for the directory.
            print("directory.url cannot be reached from here: \(error.message).")
            print(
                "Unless it is a standby of database.url, run adminexportd migrate --grant-directory on a machine that can reach it."
            )
            return nil
        }
    }
}
