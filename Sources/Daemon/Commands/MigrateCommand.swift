internal import ArgumentParser
private import Exports
private import Postgres

/// Brings the database to this version's schema.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create or upgrade the database schema; safe to run again.",
        discussion: """
            Runs as a login that may create roles and schemas, the first time; as a member of adminexport_owner later. Then \
            grant the service's login its roles: GRANT adminexport_api, adminexport_worker TO the_login.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Create the directory's relations as tables, where there are none.")
    var withDirectory = false

    func run() async throws {
        try await reportingFaults {
            let (configuration, _) = try common.load()
            var options = ConnectionOptions(connectionString: configuration.databaseURL)
            options.applicationName = "adminexportd migrate"
            options.statementTimeout = .seconds(600)
            let connection = try await PostgresConnection.connect(options)
            let outcome = try await Migrator().run(withDirectory: withDirectory, on: connection)
            print(
                outcome.applied.isEmpty
                    ? "The schema is up to date (version \(Migrator.version))."
                    : "Applied schema version \(outcome.applied.map(String.init).joined(separator: ", ")).")
            if withDirectory {
                print(outcome.createdDirectory ? "Created the directory's tables." : "The directory is there already.")
            }
        }
    }
}
