internal import Directory
internal import Evidence
internal import Exports
internal import Logging
internal import Postgres
internal import Systemd

/// The configuration of a process. The initial values are the defaults; ``ConfigurationKey/all`` says what may be set.
struct ServiceConfiguration {
    static let defaultFile = "/etc/adminexport/config.yaml"

    var socket = "/run/adminexport/adminexport.sock"
    var jobsURL: String?
    var ownListenURL: String?
    var ownDirectoryURL: String?
    var keepsSessions = true
    var archives = "/var/lib/adminexport/archives"
    var workers = 1
    var retention: Duration = .seconds(7 * 86_400)
    var history: Duration = .seconds(400 * 86_400)
    var idempotency: Duration = .seconds(48 * 3_600)
    var lease: Duration = .seconds(12)
    var deadline: Duration = .seconds(30 * 60)
    var drain: Duration = .seconds(20)
    var logLevel = Logger.Level.info
    var workbook = WorkbookSettings(version: AdminExportDaemon.version)
    var includesAbout = false
    var otherGroups = OtherGroups.show
    var limits = ServiceLimits()
    var callers: [ConfigurationFile.CallerEntry] = []
    var attributes: [Attribute] = []
    var publicKeyFolder = KeyFolder.standard

    /// The keys in the folder.
    private(set) var publicKeys: [VerificationKey] = []
    private var credentials = Credentials(environment: [:])
    /// The credential `database-password`.
    private var databasePassword: String?
    /// The credential `directory-password`; if it is missing, `database-password`.
    private var directoryPassword: String?
    /// The origin of each value that is set, by the key's name: `--config`, a variable, a file.
    private(set) var origins: [String: String] = [:]
    /// What works and should be changed.
    private(set) var warnings: [String] = []

    init() {}

    /// Reads the configuration. Flags override the environment, and the environment overrides the file.
    ///
    /// - Parameters:
    ///   - flags: values of the command line, by the key's name.
    ///   - file: the file's path; nil for `ADMINEXPORT_CONFIG`, and without it for the default if it exists.
    /// - Throws: ``ConfigurationFault``.
    init(flags: [String: String], file: String?, environment: [String: String]) throws {
        for key in ConfigurationKey.all where key.isSecret && flags[key.name].map(ConnectionString.hasPassword) == true {
            throw ConfigurationFault(
                "ps shows a password in a flag to every user; put the URL of \(key.name) into the file or into ADMINEXPORT_\(key.variable)"
            )
        }
        let variables = try Self.variables(environment)
        let path = file ?? environment["ADMINEXPORT_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let contents = try path.map(ConfigurationFile.init(path:)) ?? ConfigurationFile.standard()
        warnings = contents.warnings
        for key in ConfigurationKey.all {
            let setting =
                flags[key.name].map { Setting(text: $0, origin: "the command line") } ?? variables[key.name]
                ?? contents.values[key.name].map { Setting(text: $0, origin: "the file") }
            if let setting, let ignored = key.ignored, setting.text == ignored.value {
                warnings.append(
                    "\(key.name) is \"\(ignored.value)\" in \(setting.origin), which is ignored: \(ignored.reason); remove it"
                )
                continue
            }
            try key.apply(setting?.text, to: &self)
            origins[key.name] = setting?.origin
            if let former = key.former, let variable = variables[key.name],
                variable.origin == Self.prefix + ConfigurationKey.variable(former.name)
            {
                warnings.append(
                    "\(variable.origin) has a new name: set \(Self.prefix)\(key.variable)=\(variable.text) instead")
            }
        }
        callers = contents.callers
        attributes = contents.attributes
        if workbook.compressor == .template, workbook.compressionLevel != nil {
            throw ConfigurationFault(
                "workbook.compressionLevel is a level of zlib, but workbook.compressor is \"template\"; remove one of them")
        }
        guard jobsURL != nil else {
            throw ConfigurationFault(
                "no database is configured; set database.url in \(Self.defaultFile), or ADMINEXPORT_DATABASE_URL")
        }
        let known = KeyFolder(publicKeyFolder).content()
        publicKeys = known.keys.map(\.key)
        warnings += known.faults.map { "signing.publicKeys: \($0). The service omits it" }
        credentials = Credentials(environment: environment)
        databasePassword = try credential("database-password")
        directoryPassword = try credential("directory-password") ?? databasePassword
    }

    private func credential(_ name: String) throws(ConfigurationFault) -> String? {
        do {
            return try credentials.text(name)
        } catch {
            throw ConfigurationFault("the credential \(name) cannot be read as text; check its LoadCredential=")
        }
    }

    /// The key with which workers sign receipts, the credential `signing-key`; nil if there is none. Only workers read it.
    ///
    /// - Throws: ``ConfigurationFault`` if it cannot be used, or its public key does not count any more.
    func signingKey() throws(ConfigurationFault) -> SigningKey? {
        guard let text = try credential("signing-key") else { return nil }
        let key: SigningKey
        do {
            key = try SigningKey(pem: text)
        } catch {
            throw ConfigurationFault(
                "the credential signing-key cannot be used: \(error); adminexportd make-key makes a key")
        }
        let own = publicKeys.filter { $0.isSameKey(as: key.verificationKey) }
        if let stale = own.first(where: { $0.status != .active }) {
            throw ConfigurationFault(
                "the credential signing-key is the private key of \(stale.id), which is \(stale.status.rawValue) in \(publicKeyFolder); make another with adminexportd make-key --replace, and restart the workers"
            )
        }
        return key
    }

    /// What is unusual about the signing key; nil if nothing is.
    func warning(about key: SigningKey) -> String? {
        let id = key.verificationKey.id
        guard !publicKeys.contains(where: { $0.isSameKey(as: key.verificationKey) }) else { return nil }
        return
            "the public key of the credential signing-key (\(id)) is not in \(publicKeyFolder), so nobody can verify receipts there; copy the file that adminexportd make-key wrote"
    }

    private struct Setting {
        let text: String
        let origin: String
    }

    private static let prefix = "ADMINEXPORT_"

    /// The values of our variables, by the key's name. An unknown variable with our prefix is a fault, because it is probably a typing error.
    private static func variables(_ environment: [String: String]) throws -> [String: Setting] {
        // The last two belong to the client.
        let others: Set<String> = ["CONFIG", "TENANT", "AS"]
        var keys: [String: (key: ConfigurationKey, unit: String)] = [:]
        for key in ConfigurationKey.all where !key.isList {
            keys[prefix + key.variable] = (key, "")
            if let former = key.former { keys[prefix + ConfigurationKey.variable(former.name)] = (key, former.unit) }
        }
        var values: [String: Setting] = [:]
        for (name, value) in environment
        where name.hasPrefix(prefix) && !others.contains(String(name.dropFirst(prefix.count))) {
            guard let (key, unit) = keys[name] else {
                throw ConfigurationFault("unknown environment variable \(name); adminexport.yaml(5) lists the variables")
            }
            guard !value.isEmpty else { continue }
            if let other = values[key.name] {
                throw ConfigurationFault("\(other.origin) and \(name) set the same key; remove one of them")
            }
            values[key.name] = Setting(text: value + unit, origin: name)
        }
        return values
    }

    /// Each key with its value and origin, for `check-config --values`. A secret is not printed.
    var list: String {
        ConfigurationKey.all.filter { !$0.isList }.map { key in
            let value = key.text(in: self).map { key.isSecret ? "(set)" : $0 } ?? "(not set)"
            return "\(key.name): \(value)  # \(origins[key.name] ?? "default")\n"
        }.joined()
    }

    /// Keys whose values differ and that are read at start only.
    func changes(from other: ServiceConfiguration) -> [String] {
        ConfigurationKey.all.filter { !$0.isReloaded && $0.text(in: self) != $0.text(in: other) }.map(\.name)
    }
}

// MARK: - Databases

extension ServiceConfiguration {
    enum Database {
        /// With the queue.
        case jobs
        /// The same, without a pooler in between.
        case listening
        case directory
    }

    var databaseURL: String { jobsURL ?? "" }
    var directoryURL: String { ownDirectoryURL ?? databaseURL }

    /// Whether the directory has a URL of its own. Only the servers can say whether that leads to another database.
    var isDirectoryApart: Bool { directoryURL != databaseURL }

    /// - Parameter purpose: shown in `pg_stat_activity`.
    func options(for database: Database, as purpose: String) -> ConnectionOptions {
        let (url, password) =
            switch database {
            case .jobs: (databaseURL, databasePassword)
            case .listening: (ownListenURL ?? databaseURL, databasePassword)
            case .directory: (directoryURL, directoryPassword)
            }
        var options = ConnectionOptions(connectionString: url)
        options.password = password
        options.applicationName = "adminexportd \(purpose)"
        options.keepsSession = keepsSessions
        return options
    }
}

/// What the operator has to change. It ends a process with status 78 (EX_CONFIG) and this sentence.
struct ConfigurationFault: Error, Equatable, CustomStringConvertible {
    static let exitStatus: Int32 = 78

    let description: String
    /// Whether somebody else will probably repair it, such as a migration in progress.
    let mayPass: Bool
    /// Whether the login lacks a role.
    let isAboutRole: Bool

    init(_ description: String, mayPass: Bool = false, isAboutRole: Bool = false) {
        self.description = description
        self.isAboutRole = isAboutRole
        self.mayPass = mayPass
    }
}
