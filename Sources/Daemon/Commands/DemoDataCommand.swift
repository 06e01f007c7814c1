internal import ArgumentParser
private import Exports
private import Postgres

/// Fills the directory's own tables with a generated tenant.
struct DemoDataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-data", abstract: "Create a tenant with generated data, to try the service.",
        discussion: "The command requires the tables that migrate --with-directory creates.")

    @OptionGroup var common: CommonOptions

    @Option(help: "The new tenant's slug.")
    var tenant: String

    @Option(help: "The number of administrators, at least 3.")
    var administrators: Int

    @Option(help: "The seed of the generated data. The same seed gives the same data.")
    var seed = 1

    func validate() throws {
        guard (3...100_000_000).contains(administrators) else {
            throw ValidationError("--administrators must be from 3 to 100,000,000.")
        }
        guard tenant.wholeMatch(of: /[a-z0-9][a-z0-9-]{0,62}/) != nil else {
            throw ValidationError("--tenant must be a slug: 1 to 63 characters a-z, 0-9 and -, not beginning with -.")
        }
    }

    func run() async throws {
        try await reportingFaults {
            let configuration = try common.load().configuration
            var options = configuration.options(for: .jobs, as: "demo-data")
            options.statementTimeout = .seconds(3_600)
            let jobs = try await PostgresConnection.connect(options)
            let directory = try await configuration.connectToOwnDirectory(
                beside: jobs, as: "demo-data", statementTimeout: .seconds(3_600))
            let connection = directory ?? jobs
            try await Migrator.checkRoles([DatabaseRole.owner], on: connection)
            try await connection.withTransaction(role: DatabaseRole.owner) { connection in
                for (name, value) in [("tenant", tenant), ("administrators", "\(administrators)"), ("seed", "\(seed)")] {
                    try await connection.query(
                        Query("demo-setting", "SELECT set_config($1, $2, true)", [.text("demo.\(name)"), .text(value)]))
                }
                do {
                    try await connection.script(
                        "demo-data", String(decoding: PackageResources.demo_data_sql, as: UTF8.self))
                } catch let error as PostgresError where error.sqlState == SQLState.uniqueViolation {
                    throw ConfigurationFault("the tenant \(tenant) exists already; choose another --tenant")
                } catch let error as PostgresError where error.isUnstorableText {
                    throw ConfigurationFault(
                        "the database's encoding lacks letters of the generated names, which are in many languages; for demo-data, create a "
                            + "database with ENCODING 'UTF8'. Exports work with other encodings"
                    )
                } catch let error as PostgresError
                    where [SQLState.undefinedTable, SQLState.invalidSchemaName].contains(error.sqlState)
                {
                    throw ConfigurationFault("the directory has no tables; run adminexportd migrate --with-directory first")
                }
            }
            try await Self.analyze(connection)
            print("Created the tenant \(tenant) with \(administrators) administrators. To try the service, use one of:")
            print("  owner@\(tenant).example     sees all administrators")
            print("  europe@\(tenant).example    sees those of the group Europe and the groups below it")
            print("  helpdesk@\(tenant).example  may not export")
        }
    }

    /// Statistics and visibility map, as autovacuum would make them within minutes.
    private static func analyze(_ connection: PostgresConnection) async throws {
        try await connection.script("assume-owner", "SET ROLE \(DatabaseRole.owner)")
        for table in ["administrator", "administrator_secondary_group", "administrator_team"] {
            try await connection.script("vacuum", "VACUUM (ANALYZE) directory.\(table)")
        }
        try await connection.script("reset-role", "RESET ROLE")
    }
}
