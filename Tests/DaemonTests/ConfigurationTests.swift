private import AdminExportAPI
private import Directory
private import Exports
import Foundation
import Testing

@testable import Daemon

@Suite struct ConfigurationTests {
    private static let url = ["ADMINEXPORT_DATABASE_URL": "postgresql:///x"]

    private func load(
        _ yaml: String = "", flags: [String: String] = [:], environment: [String: String] = Self.url
    ) throws -> ServiceConfiguration {
        try TemporaryFolder.with { folder in
            let path = folder + "/config.yaml"
            try yaml.write(toFile: path, atomically: true, encoding: .utf8)
            return try ServiceConfiguration(flags: flags, file: path, environment: environment)
        }
    }

    @Test("Flags override the environment, the environment overrides the file, and the file overrides the defaults")
    func precedence() throws {
        let yaml = "workers: 2\nretention: 3d\nlease: 20s\nsocket: /file\n"
        var environment = Self.url
        environment["ADMINEXPORT_WORKERS"] = "3"
        environment["ADMINEXPORT_SOCKET"] = "/environment"
        let configuration = try load(yaml, flags: ["socket": "/flag"], environment: environment)
        #expect(configuration.socket == "/flag")
        #expect(configuration.workers == 3)
        #expect(configuration.retention == .seconds(3 * 86_400))
        #expect(configuration.lease == .seconds(20))
        #expect(configuration.deadline == .seconds(1_800))
        #expect(configuration.directoryURL == "postgresql:///x")
    }

    @Test("A key's variable is its name in capitals, and each key has its own name and variable")
    func names() {
        let keys = ConfigurationKey.all
        let variables = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.variable) })
        #expect(variables.count == keys.count && Set(variables.values).count == keys.count)
        #expect(variables["database.keepSessions"] == "DATABASE_KEEP_SESSIONS")
        #expect(variables["limits.bytesPerUser"] == "LIMITS_BYTES_PER_USER" && variables["socket"] == "SOCKET")
    }

    @Test("Every key can be set in the file and in the environment, and a file of the defaults changes nothing")
    func everyKey() throws {
        let standard = ServiceConfiguration()
        for key in ConfigurationKey.all where !key.isList {
            let text: String
            switch key.kind {
            case .text: text = "/other"
            case .database: text = "postgresql:///other"
            case .count(let range, _), .bytes(let range, _): text = "\(min(range.upperBound, 2_000_000))"
            case .byteBudget: text = "1000000000"
            case .duration(let range, _): text = range.upperBound.configured
            case .flag(let path): text = "\(!standard[keyPath: path])"
            case .logLevel: text = "trace"
            case .compressor: text = "zlib"
            case .otherGroups: text = "hide"
            case .compressionLevel: text = "9"
            case .callers, .attributes: text = ""
            }
            let nested = key.name.split(separator: ".").map(String.init)
            let yaml = nested.count == 1 ? "\(key.name): \(text)\n" : "\(nested[0]):\n  \(nested[1]): \(text)\n"
            let file = try load(yaml, environment: key.name == "database.url" ? [:] : Self.url)
            var environment = Self.url
            environment["ADMINEXPORT_" + key.variable] = text
            let variable = try load(environment: environment)
            for found in [file, variable] {
                #expect(key.text(in: found) == text && key.text(in: standard) != text, "\(key.name)")
                #expect(found.warnings.isEmpty)
            }
            #expect(file.origins[key.name] == "the file" && variable.origins[key.name] == "ADMINEXPORT_" + key.variable)
            #expect(key.isSecret == !file.list.contains("\(key.name): \(text)"))
            if let value = key.text(in: standard) {
                let same = try load(
                    nested.count == 1 ? "\(key.name): \(value)\n" : "\(nested[0]):\n  \(nested[1]): \(value)\n")
                #expect(key.text(in: same) == value)
            }
        }
    }

    @Test("A former name works, with a warning that names the new form; both names together are refused")
    func formerNames() throws {
        let file = try load("limits:\n  partialLineMs: 1500\n  leastFreeBytes: 7\n")
        #expect(file.limits.partialLine == .milliseconds(1_500) && file.limits.minFreeBytes == 7)
        #expect(
            file.warnings.count == 2 && file.warnings[0].contains("line 2")
                && file.warnings[0].contains("limits.partialLine: 1500ms"))
        var environment = Self.url
        environment["ADMINEXPORT_LIMITS_UNREAD_OUTPUT_MS"] = "2500"
        let variable = try load(environment: environment)
        #expect(variable.limits.unreadOutput == .milliseconds(2_500) && variable.limits.wire.unreadOutputMs == 2_500)
        #expect(variable.warnings.count == 1 && variable.warnings[0].contains("ADMINEXPORT_LIMITS_UNREAD_OUTPUT=2500ms"))
        environment["ADMINEXPORT_LIMITS_UNREAD_OUTPUT"] = "3s"
        #expect(throws: ConfigurationFault.self) { try load(environment: environment) }
        #expect(throws: ConfigurationFault.self) { try load("limits:\n  partialLineMs: 1500\n  partialLine: 2s\n") }
    }

    @Test("A level selects zlib, a level for the other compressor is refused, and ISA-L is ignored with a warning")
    func compressor() throws {
        func compressor(_ keys: String) throws -> WorkbookCompressor {
            try load(keys.isEmpty ? "" : "workbook: {\(keys)}\n").workbook.usedCompressor
        }
        #expect(try compressor("") == .template && compressor("compressionLevel: auto") == .template)
        #expect(try compressor("compressor: template") == .template && compressor("compressor: zlib") == .zlib)
        #expect(
            try compressor("compressionLevel: 6") == .zlib && compressor("compressor: zlib, compressionLevel: 1") == .zlib)
        #expect(throws: ConfigurationFault.self) { try compressor("compressor: template, compressionLevel: 6") }
        #expect(try load("workbook:\n  compressionLevel: 6\n").list.contains("workbook.compressor: zlib  # default\n"))

        let file = try load("workbook:\n  compressor: isal\n")
        #expect(file.workbook.usedCompressor == .template && file.origins["workbook.compressor"] == nil)
        #expect(file.warnings.count == 1 && file.warnings[0].contains("workbook.compressor is \"isal\" in the file"))
        #expect(try compressor("compressor: isal, compressionLevel: 6") == .zlib)
    }

    @Test("A byte limit that is not set is raised to the limits that it must include")
    func bytes() throws {
        let limits: [(String, [Int])] = [
            ("", [8 << 20, 48 << 20, 128 << 20]),
            ("limits:\n  lineBytes: 16777216\n", [35 << 20, 48 << 20, 128 << 20]),
            ("limits:\n  bytesPerConnection: 200000000\n", [200_000_000, 200_000_000, 200_000_000]),
        ]
        for (yaml, expected) in limits {
            let limits = try load(yaml).limits
            let found: [Int] = [limits.bytesPerConnection, limits.bytesPerUser, limits.bytes]
            #expect(found.elementsEqual(expected), "\(yaml)")
        }
    }

    @Test(
        "A fault is reported with its line or its key, and without secrets",
        arguments: [
            ("workers: 2\nworker: 3\n", "line 2: unknown key \"worker\""),
            ("database:\n  uri: x\n", "line 2: unknown key \"database.uri\""),
            ("- a\n", "line 1"), ("workers: [1]\n", "line 1: workers must have one value"),
            ("workers: many\n", "workers is \"many\""),
            ("workers: -1\n", "workers is \"-1\""), ("retention: 7\n", "retention is \"7\""),
            ("lease: 1s\n", "lease is \"1s\""), ("idempotency: 0s\n", "idempotency is \"0s\""),
            ("workbook:\n  cellReferences: maybe\n", "workbook.cellReferences is \"maybe\""),
            ("workbook:\n  compressor: brotli\n", "workbook.compressor is \"brotli\", but must be template or zlib"),
            ("workbook:\n  compressionLevel: 10\n", "workbook.compressionLevel is \"10\", but must be auto"),
            ("workbook:\n  compressionLevel: fast\n", "workbook.compressionLevel is \"fast\""),
            (
                "limits:\n  bytesPerConnection: 5242879\n",
                "bytesPerConnection is \"5242879\", but must be a whole number from 5242880"
            ),
            ("limits:\n  bytesPerConnection: 60000000\n  bytesPerUser: 50000000\n", "bytesPerUser is \"50000000\""),
            ("limits:\n  bytes: 9000000\n", "limits.bytes is \"9000000\""),
            ("log:\n  level: loud\n", "log.level is \"loud\""), ("database.url: x\n", "write nested maps"),
            ("socket:\n", "socket must have one value"),
            ("callers:\n- {group: g, tenants: all, grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [\"*\"], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [{key: 1, slug: a}], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [{slug: a}], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [{key: [1]}], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [{key: \"\"}], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [{key: null}], grants: [export]}\n", "line 2: a tenant is"),
            ("callers:\n- {group: g, tenants: [{key: }], grants: [export]}\n", "line 2: a tenant is"),
            ("callers:\n- {group: g, tenants: [{key: true}], grants: [export]}\n", "line 2: a tenant is"),
            ("callers:\n- {group: g, tenants: [acme, ~], grants: [export]}\n", "line 2: a tenant is"),
            ("callers:\n- {group: g, tenants: [{key: \"1\\0\"}], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: [\"a\\u0000b\"], grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: {key: 1}, grants: [export]}\n", "line 2: a caller is"),
            ("callers:\n- {group: g, tenants: \"*\", grants: [export], more: 1}\n", "line 2: unknown key \"callers.more\""),
            ("callers:\n- {tenants: \"*\", grants: [export]}\n", "line 2: a caller is either"),
            ("attributes: x\n", "line 1: attributes must be a list"),
            ("attributes:\n- x\n", "line 2: an attribute is a map; write {column"),
            ("attributes:\n- {column: a, title: A}\n", "line 2: the attribute lacks type"),
            ("attributes:\n- {column: a, title: A, type: text, colour: red}\n", "line 2: unknown key \"attributes.colour\""),
            (
                "attributes:\n- {column: a, title: A, type: number}\n",
                "line 2: attributes.type is \"number\", but must be one of text, date,"
            ),
            ("attributes:\n- {column: a, title: A, type: [text]}\n", "line 2: attributes.type must have one value"),
            ("attributes:\n- column: a\n  title:\n  type: text\n", "line 3: attributes.title must have one value"),
            ("attributes:\n- {column: a, title: ' ', type: text}\n", "line 2: attributes.title must be one line"),
            ("attributes:\n- {column: a, title: \"A\\nB\", type: text}\n", "line 2: attributes.title must be one line"),
            (
                "attributes:\n- {column: a, title: \(String(repeating: "😀", count: 128)), type: text}\n",
                "line 2: attributes.title must be one line of 1 to 255"
            ),
            (
                "attributes:\n- {column: a, title: main GROUP, type: text}\n",
                "line 2: each workbook has a column with the title \"Main group\""
            ),
            (
                "attributes:\n- {column: a, title: Größe, type: text}\n- {column: b, title: GRÖßE, type: text}\n",
                "line 3: the title \"GRÖßE\" is also in line 2"
            ),
            (
                "attributes:\n- {column: a, title: A, type: text}\n- {column: a, title: B, type: text}\n",
                "line 3: the column a is also in line 2"
            ),
            ("attributes:\n- {column: phone, title: A, type: text}\n", "line 2: each export already reads the column phone"),
            (
                "attributes:\n- {column: tenant_id, title: A, type: text}\n",
                "line 2: each export already reads the column tenant_id"
            ),
            ("attributes:\n- {column: \"\", title: A, type: text}\n", "line 2: attributes.column must be"),
            (
                "attributes:\n- {column: \(String(repeating: "a", count: 64)), title: A, type: text}\n",
                "line 2: attributes.column must be"
            ),
            ("attributes:\n- {column: \"a\\0\", title: A, type: text}\n", "line 2: attributes.column must be"),
            (
                "attributes:\n- {column: api_key, title: A, type: text}\n",
                "line 2: the name of the column api_key looks like that of a credential"
            ),
            (
                "attributes:\n- {column: password_set, title: A, type: boolean}\n",
                "line 2: the name of the column password_set looks"
            ),
            (
                "attributes:\n- {column: totpSecret, title: A, type: text, reviewed: true}\n",
                "line 2: the name of the column totpSecret looks"
            ),
            (
                "attributes:\n- {column: a, title: A, type: text, permission: \"\"}\n",
                "line 2: attributes.permission is empty"
            ),
            (
                "attributes:\n- {column: a, title: A, type: text, reviewed: maybe}\n",
                "line 2: attributes.reviewed is \"maybe\""
            ),
            (
                "attributes:\n" + (0...100).map { "- {column: a\($0), title: A\($0), type: text}\n" }.joined(),
                "attributes has 101 items"
            ),
            ("database:\n  url: \"postgresql://u:s3cret@h/d\n", "not YAML"),
            ("database: {url: u:s3cret, url: u:s3cret}\n", "twice"),
        ])
    func faults(_ yaml: String, _ expected: String) {
        let fault = #expect(throws: ConfigurationFault.self) { try load(yaml) }
        #expect(fault?.description.contains(expected) == true, "\(fault?.description ?? "")")
        #expect(fault?.description.contains("s3cret") == false)
    }

    @Test("Attributes are read with their lines, in their order; an empty list has none")
    func attributes() throws {
        let yaml = """
            attributes:
            - {column: employee_key, title: "Employee, key", type: text}
            # A comment does not count as an attribute.
            - column: last sign-in
              title: Last sign-in
              type: datetime
              permission: security.view
              reviewed: true
            """
        #expect(
            try load(yaml).attributes == [
                Attribute(column: "employee_key", title: "Employee, key", kind: .text, line: 2),
                Attribute(
                    column: "last sign-in", title: "Last sign-in", kind: .datetime, permission: "security.view",
                    isReviewed: true,
                    line: 4),
            ])
        let reviewed = "attributes: [{column: password_changed_at, title: P, type: datetime, reviewed: true}]\n"
        #expect(try load(reviewed).attributes.map(\.column) == ["password_changed_at"])
        for none in ["attributes:\n", "attributes: []\n"] { #expect(try load(none).attributes == []) }
        let (one, other) = (try load("attributes: [{column: a, title: A, type: text}]\n"), try load(""))
        #expect(one.changes(from: other) == ["attributes"] && other.changes(from: other) == [])
    }

    @Test("A caller's tenants are named by slug or by key, and a key may look like a number")
    func tenants() throws {
        let yaml =
            "callers:\n- {group: g, tenants: [acme, 42, {key: 42}, {key: 0190abcd-0000-7000-8000-00000000000f}], grants: [export]}\n"
        #expect(
            try load(yaml).callers.map(\.tenants) == [
                .some([.slug("acme"), .slug("42"), .key("42"), .key("0190abcd-0000-7000-8000-00000000000f")])
            ])
        #expect(
            try load("callers:\n- {group: g, tenants: [no, \"true\", {key: \"null\"}], grants: [export]}\n").callers.map(
                \.tenants)
                == [.some([.slug("no"), .slug("true"), .key("null")])])
        #expect(try load("callers:\n- {group: g, tenants: \"*\", grants: [export]}\n").callers.map(\.tenants) == [.all])
    }

    @Test("An unknown variable, an invalid URL, a missing URL and a password in a flag are refused")
    func environmentFaults() {
        func fault(_ environment: [String: String], flags: [String: String] = [:]) -> String {
            #expect(throws: ConfigurationFault.self) { try load(flags: flags, environment: environment) }?.description ?? ""
        }
        #expect(fault(["ADMINEXPORT_DATBASE_URL": "x"]).contains("ADMINEXPORT_DATBASE_URL"))
        #expect(fault([:]).contains("no database is configured"))
        #expect(fault(["ADMINEXPORT_DATABASE_URL": "postgresql://u:s3/cret@h/d"]).contains("port is not a number"))
        #expect(!fault(["ADMINEXPORT_DATABASE_URL": "postgresql://u:s3/cret@h/d"]).contains("s3"))
        #expect(fault(Self.url, flags: ["database.url": "postgresql://u:s3cret@h/d"]).contains("ps"))
    }

    @Test(
        "Durations are numbers with a unit",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("12s", .seconds(12)), ("30m", .seconds(1_800)),
            ("7d", .seconds(604_800)),
            ("12", nil), ("s", nil), ("1.5s", nil), ("-1s", nil), ("9999999999999d", nil),
        ])
    func durations(_ text: String, _ expected: Duration?) {
        #expect(Duration(configured: text) == expected)
        if let expected { #expect(expected.configured == text) }
    }
}
