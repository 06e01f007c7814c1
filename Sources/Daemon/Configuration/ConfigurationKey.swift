internal import Directory
internal import Exports
internal import Logging
private import Postgres

/// A key of the configuration. ``all`` is the only place that knows the keys: the parser, the messages, `check-config`,
/// `config-reference`, the table in README.md and the list in adminexport.yaml(5) come from it.
struct ConfigurationKey: Sendable {
    typealias Path<Value> = any WritableKeyPath<ServiceConfiguration, Value> & Sendable

    /// What a key holds, and where its value goes. Defaults are the initial values of ``ServiceConfiguration``.
    enum Kind: Sendable {
        case text(Path<String>)
        /// A libpq URI or a string of key=value pairs.
        case database(Path<String?>, absent: String)
        case count(ClosedRange<Int>, Path<Int>)
        case bytes(ClosedRange<Int>, Path<Int>)
        /// Bytes that include those of another limit. A value that is not set is raised to the minimum.
        case byteBudget(min: any KeyPath<ServiceConfiguration, Int> & Sendable, Path<Int>)
        /// A whole number followed by `ms`, `s`, `m`, `h` or `d`.
        case duration(ClosedRange<Duration>, Path<Duration>)
        case flag(Path<Bool>)
        case logLevel(Path<Logger.Level>)
        case compressor(Path<WorkbookCompressor?>)
        case otherGroups(Path<OtherGroups>)
        /// `auto`, which is nil, or 1 to 9.
        case compressionLevel(Path<Int?>)
        /// A list; see ``ConfigurationFile/CallerEntry``.
        case callers
        /// A list of ``Attribute``.
        case attributes
    }

    /// Its name in the file. A period separates the levels of nested maps.
    let name: String
    let kind: Kind
    /// Whether a reload applies a changed value; other keys are read at start only.
    var isReloaded = false
    /// Whether the value may contain a password.
    var isSecret = false
    /// A name that this key had before, whose values lacked the unit.
    var former: (name: String, unit: String)?
    /// A value that is accepted as if none was set, and the reason.
    var ignored: (value: String, reason: String)?
    /// For the manuals: sentences, with code between backquotes.
    let meaning: String

    /// Whether the key is a list, which only the file can contain.
    var isList: Bool { name == "callers" || name == "attributes" }

    /// The environment variable without `ADMINEXPORT_`: the words of the name in capitals.
    var variable: String { Self.variable(name) }

    static func variable(_ name: String) -> String {
        name.reduce(into: "") { variable, character in
            if character.isUppercase { variable += "_" }
            variable += character == "." ? "_" : character.uppercased()
        }
    }

    static func named(_ name: String) -> ConfigurationKey? { all.first { $0.name == name } }

    /// The maps of the file that contain keys, such as `limits`.
    static let sections = Set(all.compactMap { key in key.name.firstIndex(of: ".").map { String(key.name[..<$0]) } })

    static let all: [ConfigurationKey] = [
        ConfigurationKey(
            name: "socket", kind: .text(\.socket),
            meaning: "The path of the socket on which the service listens, unless systemd passes a socket."),
        ConfigurationKey(
            name: "database.url", kind: .database(\.jobsURL, absent: "none"), isSecret: true,
            meaning:
                "The database with the queue and the audit trail, as a libpq URI or as a string of key=value pairs. This key is required."
        ),
        ConfigurationKey(
            name: "database.listen", kind: .database(\.ownListenURL, absent: "`database.url`"), isSecret: true,
            meaning:
                "The same database without a connection pooler. One session of each process listens there for notifications about jobs. Set this key if `database.url` leads to a pooler."
        ),
        ConfigurationKey(
            name: "database.keepSessions", kind: .flag(\.keepsSessions),
            meaning:
                "Whether the service keeps state in a session between transactions. Set it to `false` for a pooler that assigns a session to each transaction and that the service cannot detect, such as pgagroal. The service detects PgBouncer."
        ),
        ConfigurationKey(
            name: "directory.url", kind: .database(\.ownDirectoryURL, absent: "`database.url`"), isSecret: true,
            meaning: "The database of the directory: the same database, a standby of it, or a separate database."),
        ConfigurationKey(
            name: "archives", kind: .text(\.archives),
            meaning:
                "The directory of the archives, which contain the finished workbooks. If you use the units with another directory than the default, give it the owner, the group and the mode of the default directory, and write a drop-in for `adminexport-worker@.service` that names it in `ReadWritePaths=`."
        ),
        ConfigurationKey(
            name: "workers", kind: .count(0...64, \.workers),
            meaning:
                "The number of exports that this process makes at a time. With 0, `adminexportd serve` makes no exports and leaves them to `adminexportd work`."
        ),
        ConfigurationKey(
            name: "retention", kind: .duration(.seconds(1)...century, \.retention),
            meaning: "How long the service keeps a workbook."),
        ConfigurationKey(
            name: "history", kind: .duration(.seconds(1)...century, \.history),
            meaning: "How long the service keeps the row of a finished job."),
        ConfigurationKey(
            name: "idempotency", kind: .duration(.seconds(1)...century, \.idempotency), isReloaded: true,
            meaning:
                "How long an idempotency key identifies the export that it started. The key returns that export only while the export waits, runs or has its workbook. Otherwise, and after this time, the key starts a new export."
        ),
        ConfigurationKey(
            name: "lease", kind: .duration(.seconds(2)...Duration.seconds(600), \.lease),
            meaning: "How long a worker may fail to renew its lease before another worker takes its job."),
        ConfigurationKey(
            name: "deadline", kind: .duration(.seconds(1)...Duration.seconds(7 * 86_400), \.deadline),
            meaning: "How long one attempt may take."),
        ConfigurationKey(
            name: "drain", kind: .duration(.zero...Duration.seconds(3_600), \.drain),
            meaning:
                "How long a process that receives a signal to stop lets its exports continue before it returns them to the queue."
        ),
        ConfigurationKey(
            name: "log.level", kind: .logLevel(\.logLevel), isReloaded: true,
            meaning: "The least severe level that the process logs."),
        ConfigurationKey(
            name: "workbook.cellReferences", kind: .flag(\.workbook.cellReferences),
            meaning:
                "Whether each cell and each row states its position. Without these references, workbooks are 30 % smaller and are made 11 % faster, but some importers cannot read them; the documentation of the writer lists them."
        ),
        ConfigurationKey(
            name: "workbook.compressor", kind: .compressor(\.workbook.compressor),
            ignored: (
                "isal",
                "the service does not use Intel's ISA-L any more, because template makes smaller files in nearly the same time"
            ),
            meaning:
                "What compresses the sheets of the workbook. `template` is the compressor of the workbook writer, which knows the XML that the writer makes: it takes a quarter of the time of zlib's level 1, and files are smaller than with level 6. `zlib` is zlib; it is also used if `workbook.compressionLevel` is a number. `isal` is ignored, with a warning."
        ),
        ConfigurationKey(
            name: "workbook.compressionLevel", kind: .compressionLevel(\.workbook.compressionLevel),
            meaning:
                "The level of zlib, from 1 (fastest) to 9 (smallest). A number selects zlib. With `auto`, zlib uses 6 for the first MiB of a sheet's XML, some 2,000 rows, and 1 for the rest. Compared with 1, level 6 makes files 22 % smaller and takes twice as long."
        ),
        ConfigurationKey(
            name: "workbook.about", kind: .flag(\.includesAbout), isReloaded: true,
            meaning:
                "Whether workbooks end with the sheet `About this export`, unless the request says otherwise (`includeAbout`). It states who requested the export and when, the time of the data, the scope, the warnings and where each column is from."
        ),
        ConfigurationKey(
            name: "scope.otherGroups", kind: .otherGroups(\.otherGroups), isReloaded: true,
            meaning:
                "Whether an administrator whose scope is groups sees the names of other groups. An account in the scope may also belong to other groups. `show`: its row names them. `hide`: its row does not name them, and the job's warning `group-hidden` counts them. After a change to `hide`, the service does not deliver the workbooks that administrators with the scope `groups` exported with `show`."
        ),
        ConfigurationKey(
            name: "signing.publicKeys", kind: .text(\.publicKeyFolder), isReloaded: true,
            meaning:
                "The folder of the public keys with which receipts are verified: each file `*.pem` contains one. `service.info` returns them. `adminexportd make-key` makes a key; workers sign with the credential `signing-key`."
        ),
        limit("connections", .count(1...10_000, \.limits.connections), "The maximum number of connections."),
        limit(
            "connectionsPerUser", .count(1...10_000, \.limits.connectionsPerUser),
            "The maximum number of connections of one user."),
        limit(
            "lineBytes", .bytes(4_096...16_777_216, \.limits.lineBytes),
            "The maximum length of a request line, in bytes."),
        limit(
            "bytesPerConnection", .byteBudget(min: \.limits.minBytesPerConnection, \.limits.bytesPerConnection),
            "The maximum number of bytes that the service holds for one connection: requests that it has not answered, and replies that the caller has not read. The service refuses requests beyond this limit with `overloaded`. The minimum is 3 MiB plus twice `limits.lineBytes`. The service raises a limit that is not set to its minimum."
        ),
        limit(
            "bytesPerUser", .byteBudget(min: \.limits.bytesPerConnection, \.limits.bytesPerUser),
            "The same limit for all connections of one user. The minimum is `limits.bytesPerConnection`."),
        limit(
            "bytes", .byteBudget(min: \.limits.bytesPerUser, \.limits.bytes),
            "The same limit for all callers. The minimum is `limits.bytesPerUser`."),
        limit(
            "inFlight", .count(1...1_000, \.limits.inFlight),
            "The maximum number of requests of a connection that run at a time."),
        limit(
            "subscriptions", .count(1...1_000, \.limits.subscriptions),
            "The maximum number of jobs that a connection watches."),
        limit(
            "transfers", .count(1...1_000, \.limits.transfers),
            "The maximum number of workbooks that the service delivers through pipes at a time."),
        limit("transfersPerUser", .count(1...1_000, \.limits.transfersPerUser), "The same limit for one user."),
        limit(
            "partialLine", .duration(.milliseconds(100)...Duration.seconds(3_600), \.limits.partialLine),
            former: ("limits.partialLineMs", "ms"),
            "The time within which a request line must be complete after its first byte."),
        limit(
            "unreadOutput", .duration(.milliseconds(100)...Duration.seconds(3_600), \.limits.unreadOutput),
            former: ("limits.unreadOutputMs", "ms"),
            "The time after which the service closes the connection of a caller that reads nothing while output waits for it."
        ),
        limit(
            "runningPerTenant", .count(1...1_000, \.limits.runningPerTenant),
            "The maximum number of exports of a tenant that run at a time."),
        limit(
            "queuedPerTenant", .count(1...100_000, \.limits.queuedPerTenant),
            "The maximum number of exports of a tenant that wait in the queue."),
        limit(
            "minFreeBytes", .bytes(0...Int.max, \.limits.minFreeBytes), former: ("limits.leastFreeBytes", ""),
            "The free space in bytes on the archives' disk that a worker requires to begin an export."),
        ConfigurationKey(
            name: "callers", kind: .callers, isReloaded: true,
            meaning: "Which users and groups may act for which tenants. It has no environment variable."),
        ConfigurationKey(
            name: "attributes", kind: .attributes,
            meaning:
                "Further columns of workbooks, after the ten that each workbook has: a list of `{column, title, type, permission, reviewed}`. `column` is a column of `directory.administrator`; `type` is `text`, `date`, `datetime`, `boolean` or `list`. With `permission`, only administrators whose profile has this permission get the column. Columns that look like credentials are refused. `reviewed: true` states that somebody has checked that the view exposes no credential in this column. After a change, run `adminexportd migrate --grant-directory` and restart the processes. It has no environment variable."
        ),
    ]

    private static let century: Duration = .seconds(36_500 * 86_400)

    private static func limit(
        _ word: String, _ kind: Kind, former: (name: String, unit: String)? = nil, _ meaning: String
    ) -> ConfigurationKey {
        ConfigurationKey(name: "limits." + word, kind: kind, isReloaded: true, former: former, meaning: meaning)
    }
}

extension ConfigurationKey {
    /// Puts a value into the configuration.
    ///
    /// - Parameter text: the value as written; nil if it is not set.
    /// - Throws: ``ConfigurationFault`` that names the key and the values that it accepts.
    func apply(_ text: String?, to configuration: inout ServiceConfiguration) throws(ConfigurationFault) {
        guard let text else {
            if case .byteBudget(let min, let path) = kind {
                configuration[keyPath: path] = max(configuration[keyPath: path], configuration[keyPath: min])
            }
            return
        }
        func require<Value>(_ value: Value?) throws(ConfigurationFault) -> Value {
            guard let value else {
                throw ConfigurationFault("\(name) is \"\(text)\", but must be \(Self.values(of: kind, in: configuration))")
            }
            return value
        }
        func number(in range: ClosedRange<Int>) -> Int? { Int(text).flatMap { range.contains($0) ? $0 : nil } }
        switch kind {
        case .text(let path): configuration[keyPath: path] = text
        case .database(let path, _):
            if let fault = ConnectionString.fault(text) {
                throw ConfigurationFault("\(name) is not a database URL: \(fault)")
            }
            configuration[keyPath: path] = text
        case .count(let range, let path), .bytes(let range, let path):
            configuration[keyPath: path] = try require(number(in: range))
        case .byteBudget(let min, let path):
            configuration[keyPath: path] = try require(number(in: configuration[keyPath: min]...Self.maxBytes))
        case .duration(let range, let path):
            configuration[keyPath: path] = try require(
                Duration(configured: text).flatMap { range.contains($0) ? $0 : nil })
        case .flag(let path): configuration[keyPath: path] = try require(Bool(text))
        case .logLevel(let path): configuration[keyPath: path] = try require(Logger.Level(rawValue: text))
        case .compressor(let path):
            configuration[keyPath: path] = try require(WorkbookCompressor(rawValue: text))
        case .otherGroups(let path): configuration[keyPath: path] = try require(OtherGroups(rawValue: text))
        case .compressionLevel(let path):
            configuration[keyPath: path] = text == "auto" ? nil : try require(number(in: 1...9))
        case .callers, .attributes: throw ConfigurationFault("\(name) is a list; write it in the configuration file")
        }
    }

    /// 1 TiB.
    private static let maxBytes = 1 << 40

    /// The values that a key accepts, in words.
    static func values(of kind: Kind, in configuration: ServiceConfiguration) -> String {
        switch kind {
        case .text: "a path"
        case .database: "a libpq connection string"
        case .count(let range, _): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range, _):
            "a whole number from \(range.lowerBound)" + (range.upperBound == .max ? "" : " to \(range.upperBound)")
        case .byteBudget(let min, _): "a whole number from \(configuration[keyPath: min]) to \(maxBytes)"
        case .duration(let range, _):
            "a duration from \(range.lowerBound.configured) to \(range.upperBound.configured), such as 10s"
        case .flag: "true or false"
        case .logLevel: Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        case .compressor: WorkbookCompressor.allCases.map(\.rawValue).joined(separator: " or ")
        case .otherGroups: OtherGroups.allCases.map(\.rawValue).joined(separator: " or ")
        case .compressionLevel: "auto or a whole number from 1 to 9"
        case .callers, .attributes: "a list"
        }
    }

    /// The value in a configuration, as it would be written in the file; nil for a URI that is not set, and for `callers`, which a reload
    /// applies.
    func text(in configuration: ServiceConfiguration) -> String? {
        switch kind {
        case .text(let path): configuration[keyPath: path]
        case .database(let path, _): configuration[keyPath: path]
        case .count(_, let path), .bytes(_, let path), .byteBudget(_, let path): "\(configuration[keyPath: path])"
        case .duration(_, let path): configuration[keyPath: path].configured
        case .flag(let path): "\(configuration[keyPath: path])"
        case .logLevel(let path): configuration[keyPath: path].rawValue
        case .compressor: configuration.workbook.usedCompressor.rawValue
        case .otherGroups(let path): configuration[keyPath: path].rawValue
        case .compressionLevel(let path): configuration[keyPath: path].map { "\($0)" } ?? "auto"
        case .callers: nil
        case .attributes:
            configuration.attributes.map {
                "\($0.column) \($0.kind.rawValue) \($0.title) \($0.permission ?? "") \($0.isReviewed)"
            }
            .joined(separator: "\n")
        }
    }
}

extension Duration {
    private static let units: [(suffix: String, unit: Duration)] = [
        ("ms", .milliseconds(1)), ("d", .seconds(86_400)), ("h", .seconds(3_600)), ("m", .seconds(60)), ("s", .seconds(1)),
    ]

    /// In the largest unit that gives a whole number, as in the file.
    var configured: String {
        guard components.attoseconds == 0 else { return "\(wholeMilliseconds)ms" }
        for (suffix, unit) in Self.units.dropFirst() where components.seconds % unit.components.seconds == 0 {
            if components.seconds > 0 || suffix == "s" { return "\(components.seconds / unit.components.seconds)\(suffix)" }
        }
        return "\(components.seconds)s"
    }

    var wholeMilliseconds: Int {
        Int(clamping: components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000)
    }

    /// `500ms`, `12s`, `30m`, `12h`, `7d`.
    init?(configured text: String) {
        guard let (suffix, unit) = Self.units.first(where: { text.hasSuffix($0.suffix) }),
            let count = Int(text.dropLast(suffix.count)), (0...1_000_000_000).contains(count)
        else { return nil }
        self = unit * count
    }
}
