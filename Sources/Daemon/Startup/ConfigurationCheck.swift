internal import Directory
internal import Exports
internal import Logging
private import Postgres

/// What `check-config` checks: the archives' directory, the database, its roles and the directory of administrators.
struct ConfigurationCheck {
    private let configuration: ServiceConfiguration
    private let logger: Logger
    private let contract = DirectoryContract()
    private let pools: DatabasePools

    /// What this login can do and what it cannot.
    struct Report {
        /// The commands that this login can run.
        var commands: [String] = []
        /// Why the login cannot run the other command.
        var faults: [String] = []
        /// Settings that may not be intended, and what cannot be proven about the directory. None is a fault.
        var notes: [String] = []
    }

    init(_ loaded: CommonOptions.Loaded) {
        (configuration, logger, _) = loaded
        pools = DatabasePools(configuration, logger: logger)
    }

    /// Checks the two commands. An installation keeps their logins apart, so one of them is enough.
    ///
    /// - Throws: ``ConfigurationFault``; ``PostgresError``.
    func run() async throws -> Report {
        try FileSystem.checkArchives(configuration.archives, writing: false)
        let policy = try CallerPolicy(configuration.callers)
        let signing = try configuration.signingKey()
        let access = DirectoryDatabase(jobs: pools.api, own: pools.access, contract: contract)
        var report = Report()
        var directory = DirectoryInspection()
        var inspectorOfRows: DirectoryInspector?
        var schema: [ContractFault] = []
        for (role, command) in [(DatabaseRole.api, "serve"), (DatabaseRole.worker, "work")] {
            let inspector = DirectoryInspector(
                jobs: pools.api, directory: pools.inspection, contract: contract,
                access: role == DatabaseRole.api ? access : nil, roles: [role], attributes: configuration.attributes,
                logger: logger)
            do {
                let found = try await inspector.check()
                directory.add(found.directory)
                schema += found.schema
                // The workers' role comes last and reads more, so its inspector searches the rows.
                inspectorOfRows = inspector
                if role == DatabaseRole.worker {
                    try FileSystem.checkArchives(configuration.archives, writing: true)
                }
                report.commands.append(command)
            } catch let fault as ConfigurationFault {
                // A login that serves without workers needs no right to write archives.
                guard fault.isAboutRole || role == DatabaseRole.worker && !report.commands.isEmpty else { throw fault }
                report.faults.append(
                    fault.isAboutRole
                        ? "\(command): the login is not a member of \(role). Installations with two logins give each of them one role"
                        : "\(command): \(fault)")
            }
        }
        guard !report.commands.isEmpty else {
            throw ConfigurationFault(
                "the database login can assume neither \(DatabaseRole.api), which serve needs, nor \(DatabaseRole.worker), which "
                    + "work needs: run adminexportd migrate with --api-login or --worker-login, or grant the login a role")
        }
        let rows = try await inspectorOfRows?.wrongRows() ?? WrongRows.Found()
        let faults = (schema + directory.faults + rows.faults).map(\.description)
        guard faults.isEmpty else { throw ConfigurationFault(faults.joined(separator: "\n")) }
        report.notes =
            directory.notes
            + rows.unread.map {
                "\($0) has too many rows to check for duplicate keys in time; make sure that its view returns each key once"
            }
        if let warning = signing.flatMap(configuration.warning(about:)) { report.notes.append(warning) }
        if report.commands.contains("serve") { report.notes += try await missingTenants(policy, access) }
        return report
    }

    /// Tenants that `callers` names and the directory does not have now.
    private func missingTenants(_ policy: CallerPolicy, _ directory: DirectoryDatabase) async throws -> [String] {
        try await directory.missing(policy.tenants).map { name in
            switch name {
            case .slug(let slug):
                "callers names the tenant \(slug), but no tenant, or more than one, has this slug now: the entry grants nothing for it; correct the slug, write {key: ...}, or remove the entry"
            case .key(let key):
                "callers names the tenant with the key \(key), but the directory has no such tenant now: the entry grants nothing for it; correct the key or remove the entry"
            }
        }
    }
}
