internal import ArgumentParser
private import Exports
private import Postgres

/// Brings the database to this version's schema.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create or upgrade the database schema; safe to run again.",
        discussion: """
            Runs as a login that may create roles and schemas, the first time; as a member of adminexport_owner later. The \
            logins of the service need its roles: --api-login and --worker-login make them, or say yourself \
            GRANT adminexport_api, adminexport_worker TO the_login.
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
            let outcome = try await Migrator().run(request, on: connection)
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
}
