internal import AdminExportAPI
internal import Configuration
internal import Exports
private import JSONRPC
internal import Logging
private import Postgres
private import Systemd

/// The service's configuration, with its defaults. Flags come before the environment, the environment before the file.
struct ServiceConfiguration {
    static let defaultFile = "/etc/adminexport/config.yaml"

    /// Where callers connect.
    var socket = "/run/adminexport/adminexport.sock"
    /// The database with the job table, as a libpq URI or key=value string.
    var databaseURL: String
    /// The same database, as a session that is kept for as long as the process runs: past a pooler, if there is one.
    var listenURL: String
    /// The database with the directory; may be a read replica.
    var directoryURL: String
    /// Whether roles, settings and prepared statements may stay in a session, where no pooler is noticed.
    var keepsSessions = true
    /// For the databases above, where they ask for one: the credential `database-password`.
    var databasePassword: String?
    /// The credential `directory-password`; where there is none, the other.
    var directoryPassword: String?
    var archives = "/var/lib/adminexport/archives"
    /// Exports that this process makes at a time; 0 leaves them to `adminexportd work`.
    var workers = 1
    /// How long a finished workbook is kept.
    var retention: Duration = .seconds(7 * 86_400)
    /// How long the row of a finished job is kept.
    var history: Duration = .seconds(400 * 86_400)
    /// How long an idempotency key stands for the export that it has started.
    var idempotency: Duration = .seconds(48 * 3_600)
    /// How long a worker may be silent before its job is given to another.
    var lease: Duration = .seconds(12)
    /// How long one attempt may take.
    var deadline: Duration = .seconds(30 * 60)
    /// How long a process that is told to stop lets exports go on before it hands them back.
    var drain: Duration = .seconds(20)
    /// Bytes that have to be free on the archives' disk for an export to begin.
    var leastFreeBytes = 268_435_456
    var logLevel = Logger.Level.info
    var workbook = WorkbookSettings(version: AdminExportDaemon.version)
    var limits = ServiceInfo.Limits()
    var callers: [ConfigurationFile.CallerEntry] = []
    /// Every value that is set, by key, wherever it was set.
    private var values: [ConfigurationKey: String] = [:]
    /// What is no fault and should not stay so.
    var warnings: [String] = []

    /// Keys whose values differ and are read at a start only.
    func changes(from other: ServiceConfiguration) -> [String] {
        ConfigurationKey.allCases.filter { !$0.isReloaded && values[$0] != other.values[$0] }.map(\.rawValue)
    }

    /// Reads the configuration.
    ///
    /// - Parameters:
    ///   - flags: values of the command line, by key.
    ///   - file: the file's path; nil for `ADMINEXPORT_CONFIG`, and then the default if it is there.
    /// - Throws: ``ConfigurationFault``.
    static func load(
        flags: [ConfigurationKey: String], file: String?, environment: [String: String]
    ) throws -> ServiceConfiguration {
        if let url = flags[.databaseURL] ?? flags[.directoryURL], ConnectionString.hasPassword(url) {
            throw ConfigurationFault(
                "a password in a flag is shown to everyone by ps: put the URL in ADMINEXPORT_DATABASE_URL or the file")
        }
        let variables = try Self.variables(environment)
        let contents = try configurationFile(file ?? environment["ADMINEXPORT_CONFIG"].flatMap { $0.isEmpty ? nil : $0 })
        let reader = ConfigReader(providers: [
            provider("flags", Dictionary(uniqueKeysWithValues: flags.map { ($0.key.rawValue, $0.value) })),
            provider("environment", variables), provider("file", contents.scalars),
        ])
        var configuration = try ServiceConfiguration(reader: reader)
        configuration.callers = contents.callers
        for key in ConfigurationKey.allCases {
            configuration.values[key] = flags[key] ?? variables[key.rawValue] ?? contents.scalars[key.rawValue]
        }
        if contents.isReadableByAll,
            [ConfigurationKey.databaseURL, .listenURL, .directoryURL].contains(where: {
                contents.scalars[$0.rawValue].map(ConnectionString.hasPassword) ?? false
            })
        {
            configuration.warnings.append(
                "the configuration file holds a password and can be read by everyone: make it a credential, database-password, or "
                    + "take that right away")
        }
        try configuration.readCredentials(Credentials(environment: environment))
        return configuration
    }

    private mutating func readCredentials(_ credentials: Credentials) throws {
        do throws(Credentials.Unreadable) {
            databasePassword = try credentials.text("database-password")
            directoryPassword = try credentials.text("directory-password") ?? databasePassword
        } catch {
            throw ConfigurationFault("the credential \(error.name) is no text that can be read: check its LoadCredential=")
        }
    }

    private static func provider(_ name: String, _ values: [String: String]) -> InMemoryProvider {
        InMemoryProvider(
            name: name,
            values: Dictionary(
                uniqueKeysWithValues: values.map { key, value in
                    let isSecret = ConfigurationKey(rawValue: key)?.isSecret ?? true
                    return (
                        AbsoluteConfigKey(key.split(separator: ".").map(String.init)),
                        ConfigValue(.string(value), isSecret: isSecret)
                    )
                }))
    }

    /// A variable with our prefix that means nothing is a slip of the pen, and better found now.
    private static func variables(_ environment: [String: String]) throws -> [String: String] {
        let prefix = "ADMINEXPORT_"
        // The last two are the client's.
        let others: Set<String> = ["CONFIG", "TENANT", "AS"]
        let keys = Dictionary(uniqueKeysWithValues: ConfigurationKey.allCases.map { ($0.variable, $0.rawValue) })
        var values: [String: String] = [:]
        for (name, value) in environment where name.hasPrefix(prefix) {
            let word = String(name.dropFirst(prefix.count))
            if let key = keys[word] {
                if !value.isEmpty { values[key] = value }
            } else if !others.contains(word) {
                throw ConfigurationFault(
                    "there is no environment variable \(name); man adminexport.yaml has those there are")
            }
        }
        return values
    }

    private static func configurationFile(_ path: String?) throws -> ConfigurationFile {
        if let path { return try ConfigurationFile(path: path) }
        guard FileSystem.exists(defaultFile) else { return ConfigurationFile() }
        return try ConfigurationFile(path: defaultFile)
    }
}

extension ServiceConfiguration {
    /// Reads every key of ``ConfigurationKey``.
    ///
    /// ## Configuration keys
    /// `socket`, `database.url` (secret, required), `database.keepSessions` (`true`, `false`), `database.listen` and `directory.url` (secret), `archives`, `workers` (0–64), `retention`,
    /// `history`, `idempotency`, `lease` (2s–10m), `deadline`, `drain` (0s–1h), `log.level`, `workbook.cellReferences` (`true`, `false`),
    /// `workbook.compressionLevel` (`auto`, 1–9), and `limits.…` (whole numbers, from 1 unless they are bytes). Durations are a whole number and `ms`,
    /// `s`, `m`, `h` or `d`.
    init(reader: ConfigReader) throws {
        func text(_ key: ConfigurationKey) -> String? {
            reader.string(forKey: ConfigKey(key.rawValue), isSecret: key.isSecret)
        }
        func number(_ key: ConfigurationKey, _ range: ClosedRange<Int>, _ value: inout Int) throws {
            guard let text = text(key) else { return }
            guard let number = Int(text), range.contains(number) else {
                throw ConfigurationFault(
                    "\(key.rawValue) is \"\(text)\", but has to be a whole number from \(range.lowerBound) to \(range.upperBound)"
                )
            }
            value = number
        }
        func duration(_ key: ConfigurationKey, _ range: ClosedRange<Duration>, _ value: inout Duration) throws {
            guard let text = text(key) else { return }
            guard let duration = Duration(configured: text), range.contains(duration) else {
                throw ConfigurationFault(
                    "\(key.rawValue) is \"\(text)\", but has to be a number and ms, s, m, h or d, from \(range.lowerBound.configured) to \(range.upperBound.configured)"
                )
            }
            value = duration
        }
        func database(_ key: ConfigurationKey) throws -> String? {
            guard let url = text(key) else { return nil }
            if let fault = ConnectionString.fault(url) {
                throw ConfigurationFault("\(key.rawValue) is no database URL: \(fault)")
            }
            return url
        }
        /// What is not set is as large as it has to be beside what is.
        func budgets() throws {
            let widest = 1 << 40
            var least = 2 * (limits.lineBytes + ConnectionLimits.largeReplyBytes)
            for (key, path) in [
                (ConfigurationKey.bytesPerConnection, \ServiceInfo.Limits.bytesPerConnection),
                (.bytesPerUser, \.bytesPerUser), (.bytes, \.bytes),
            ] {
                limits[keyPath: path] = max(limits[keyPath: path], least)
                try number(key, least...widest, &limits[keyPath: path])
                least = limits[keyPath: path]
            }
        }
        guard let url = try database(.databaseURL) else {
            throw ConfigurationFault(
                "no database is configured: set database.url in \(Self.defaultFile), or ADMINEXPORT_DATABASE_URL")
        }
        databaseURL = url
        listenURL = try database(.listenURL) ?? url
        directoryURL = try database(.directoryURL) ?? url
        socket = text(.socket) ?? socket
        archives = text(.archives) ?? archives
        try number(.workers, 0...64, &workers)
        let century: Duration = .seconds(36_500 * 86_400)
        try duration(.retention, .seconds(1)...century, &retention)
        try duration(.history, .seconds(1)...century, &history)
        try duration(.idempotency, .seconds(1)...century, &idempotency)
        try duration(.lease, .seconds(2)...Duration.seconds(600), &lease)
        try duration(.deadline, .seconds(1)...Duration.seconds(7 * 86_400), &deadline)
        try duration(.drain, .zero...Duration.seconds(3_600), &drain)
        if let level = text(.logLevel) {
            guard let parsed = Logger.Level(rawValue: level) else {
                let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigurationFault("log.level is \"\(level)\", but has to be one of \(levels)")
            }
            logLevel = parsed
        }
        func flag(_ key: ConfigurationKey, _ value: inout Bool) throws {
            guard let word = text(key) else { return }
            guard let found = Bool(word) else {
                throw ConfigurationFault("\(key.rawValue) is \"\(word)\", but has to be true or false")
            }
            value = found
        }
        try flag(.keepsSessions, &keepsSessions)
        try flag(.cellReferences, &workbook.cellReferences)
        if let word = text(.compressionLevel), word != "auto" {
            guard let level = Int(word), (1...9).contains(level) else {
                throw ConfigurationFault(
                    "workbook.compressionLevel is \"\(word)\", but has to be auto or a whole number from 1 to 9")
            }
            workbook.compressionLevel = level
        }
        try number(.connections, 1...10_000, &limits.connections)
        try number(.connectionsPerUser, 1...10_000, &limits.connectionsPerUser)
        try number(.lineBytes, 4_096...16_777_216, &limits.lineBytes)
        try budgets()
        try number(.inFlight, 1...1_000, &limits.inFlight)
        try number(.partialLineMs, 100...3_600_000, &limits.partialLineMs)
        try number(.unreadOutputMs, 100...3_600_000, &limits.unreadOutputMs)
        try number(.subscriptions, 1...1_000, &limits.subscriptions)
        try number(.transfers, 1...1_000, &limits.transfers)
        try number(.transfersPerUser, 1...1_000, &limits.transfersPerUser)
        try number(.runningPerTenant, 1...1_000, &limits.runningPerTenant)
        try number(.queuedPerTenant, 1...100_000, &limits.queuedPerTenant)
        try number(.leastFreeBytes, 0...Int.max, &leastFreeBytes)
    }
}

extension Duration {
    /// In the greatest unit that gives a whole number, as it is configured.
    fileprivate var configured: String {
        for (suffix, unit) in [("d", 86_400), ("h", 3_600), ("m", 60)] as [(String, Int64)]
        where components.seconds > 0 && components.seconds % unit == 0 {
            return "\(components.seconds / unit)\(suffix)"
        }
        return "\(components.seconds)s"
    }

    /// `500ms`, `12s`, `30m`, `12h`, `7d`.
    init?(configured text: String) {
        let units: [(String, Duration)] = [
            ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3_600)),
            ("d", .seconds(86_400)),
        ]
        for (suffix, unit) in units where text.hasSuffix(suffix) {
            guard let count = Int(text.dropLast(suffix.count)), (0...1_000_000_000).contains(count) else { continue }
            self = unit * count
            return
        }
        return nil
    }
}
