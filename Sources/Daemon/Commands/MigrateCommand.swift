internal import ArgumentParser
private import Exports
private import Postgres

/// Migrates the database to this version's schema.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create or upgrade the database schema. It is safe to run the command again.",
        discussion: """
            The first time, run the command as a login that may create roles and schemas; later, as a member of adminexport_owner. \
            The logins of the services need the service's roles: use --api-login and --worker-login to create the logins, or run \
            GRANT adminexport_api, adminexport_worker TO the_login.

            If directory.url names a separate database, --with-directory and --grant-directory apply to that database, and the \
            command creates the roles and logins on both servers.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Create the relations of the directory as tables, unless they exist.")
    var withDirectory = false

    @Flag(
        help: "Grant the service's roles the privileges on the directory's columns that they read, if the directory exists.")
    var grantDirectory = false

    @Option(help: "Create this login, unless it exists, and grant it the role that serves callers.")
    var apiLogin: String?

    @Option(help: "Create this login, unless it exists, and grant it the role that makes exports.")
    var workerLogin: String?

    func validate() throws {
        for login in [apiLogin, workerLogin].compactMap(\.self) where !Migrator.isLogin(login) {
            throw ValidationError("A login must be a letter or _, followed by up to 62 letters, digits, _ and -.")
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
            request.attributes = configuration.attributes
            let directory = try await ownDirectory(configuration, beside: connection)
            if directory != nil { (request.createsDirectory, request.grantsDirectory) = (false, false) }
            var outcome = try await Migrator().run(request, on: connection)
            if let directory {
                request.createsDirectory = withDirectory
                request.grantsDirectory = grantDirectory
                let prepared = try await Migrator().prepareDirectory(request, on: directory)
                outcome.createdDirectory = prepared.createdDirectory
                outcome.grantedDirectory = prepared.grantedDirectory
                outcome.undeclaredColumns = prepared.undeclaredColumns
                outcome.createdLogins += prepared.createdLogins.filter { !outcome.createdLogins.contains($0) }
            }
            print(
                outcome.applied.isEmpty
                    ? "The schema is up to date (version \(Migrator.version))."
                    : "Applied schema version \(outcome.applied.map(String.init).joined(separator: ", ")).")
            if outcome.keyedEvents > 0 { print("Added the tenant's key to \(outcome.keyedEvents) older audit events.") }
            if withDirectory {
                print(outcome.createdDirectory ? "Created the directory's tables." : "The directory exists already.")
            }
            if grantDirectory, !withDirectory {
                print(
                    outcome.grantedDirectory
                        ? "Granted the service the privileges on the directory's columns."
                        : "The directory does not exist yet: create its views, and run this command again.")
            }
            if !outcome.undeclaredColumns.isEmpty {
                let columns = outcome.undeclaredColumns.joined(separator: ", ")
                print(
                    "The workers can also read \(columns) of directory.administrator, which neither the contract nor attributes names. To prevent that, "
                        + "revoke the privilege from the role that has it: \(DatabaseRole.worker), PUBLIC, or a role that it belongs to; "
                        + "psql shows them with \\dp directory.administrator."
                )
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
                "If it is not a standby of database.url, run adminexportd migrate --grant-directory on a machine that can reach it."
            )
            return nil
        }
    }
}
