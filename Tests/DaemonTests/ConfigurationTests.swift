private import AdminExportAPI
private import Directory
import Foundation
import Testing

@testable import Daemon

@Suite struct ConfigurationTests {
    private static let url = ["ADMINEXPORT_DATABASE_URL": "postgresql:///x"]

    private func load(
        _ yaml: String = "", flags: [ConfigurationKey: String] = [:], environment: [String: String] = Self.url
    ) throws -> ServiceConfiguration {
        try TemporaryFolder.with { folder in
            let path = folder + "/config.yaml"
            try yaml.write(toFile: path, atomically: true, encoding: .utf8)
            return try ServiceConfiguration.load(flags: flags, file: path, environment: environment)
        }
    }

    @Test("Flags come before the environment, the environment before the file, the file before the default")
    func precedence() throws {
        let yaml = "workers: 2\nretention: 3d\nlease: 20s\nsocket: /file\n"
        var environment = Self.url
        environment["ADMINEXPORT_WORKERS"] = "3"
        environment["ADMINEXPORT_SOCKET"] = "/environment"
        let configuration = try load(yaml, flags: [.socket: "/flag"], environment: environment)
        #expect(configuration.socket == "/flag")
        #expect(configuration.workers == 3)
        #expect(configuration.retention == .seconds(3 * 86_400))
        #expect(configuration.lease == .seconds(20))
        #expect(configuration.deadline == .seconds(1_800))
        #expect(configuration.directoryURL == "postgresql:///x")
    }

    @Test("Every key can be set in the environment by its name")
    func environment() throws {
        #expect(
            ConfigurationKey.allCases.map(\.variable) == [
                "SOCKET", "DATABASE_URL", "DATABASE_LISTEN", "DATABASE_KEEP_SESSIONS", "DIRECTORY_URL", "ARCHIVES",
                "WORKERS", "RETENTION", "HISTORY",
                "IDEMPOTENCY", "LEASE", "DEADLINE", "DRAIN",
                "LOG_LEVEL", "WORKBOOK_CELL_REFERENCES", "WORKBOOK_COMPRESSION_LEVEL", "LIMITS_CONNECTIONS",
                "LIMITS_CONNECTIONS_PER_USER", "LIMITS_LINE_BYTES", "LIMITS_BYTES", "LIMITS_BYTES_PER_USER",
                "LIMITS_BYTES_PER_CONNECTION", "LIMITS_IN_FLIGHT", "LIMITS_PARTIAL_LINE_MS",
                "LIMITS_UNREAD_OUTPUT_MS", "LIMITS_SUBSCRIPTIONS", "LIMITS_TRANSFERS", "LIMITS_TRANSFERS_PER_USER",
                "LIMITS_RUNNING_PER_TENANT", "LIMITS_QUEUED_PER_TENANT",
                "LIMITS_LEAST_FREE_BYTES",
            ])
    }

    @Test("No account of bytes is smaller than what is in it: what is not set is raised")
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
        "A fault is named with its line or its key, and no secret",
        arguments: [
            ("workers: 2\nworker: 3\n", "line 2: there is no key worker"),
            ("database:\n  uri: x\n", "line 2: there is no key database.uri"),
            ("- a\n", "line 1"), ("workers: [1]\n", "line 1: workers is one value"),
            ("workers: many\n", "workers is \"many\""),
            ("workers: -1\n", "workers is \"-1\""), ("retention: 7\n", "retention is \"7\""),
            ("lease: 1s\n", "lease is \"1s\""), ("idempotency: 0s\n", "idempotency is \"0s\""),
            ("workbook:\n  cellReferences: maybe\n", "workbook.cellReferences is \"maybe\""),
            ("workbook:\n  compressionLevel: 10\n", "workbook.compressionLevel is \"10\", but has to be auto"),
            ("workbook:\n  compressionLevel: fast\n", "workbook.compressionLevel is \"fast\""),
            (
                "limits:\n  bytesPerConnection: 5242879\n",
                "bytesPerConnection is \"5242879\", but has to be a whole number from 5242880"
            ),
            ("limits:\n  bytesPerConnection: 60000000\n  bytesPerUser: 50000000\n", "bytesPerUser is \"50000000\""),
            ("limits:\n  bytes: 9000000\n", "limits.bytes is \"9000000\""),
            ("log:\n  level: loud\n", "log.level is \"loud\""), ("database.url: x\n", "nest the words"),
            ("socket:\n", "socket is one value"),
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
            ("callers:\n- {group: g, tenants: \"*\", grants: [export], more: 1}\n", "line 2: there is no key callers.more"),
            ("callers:\n- {tenants: \"*\", grants: [export]}\n", "line 2: a caller is either"),
            ("database:\n  url: \"postgresql://u:s3cret@h/d\n", "not YAML"),
            ("database: {url: u:s3cret, url: u:s3cret}\n", "twice"),
        ])
    func faults(_ yaml: String, _ expected: String) {
        let fault = #expect(throws: ConfigurationFault.self) { try load(yaml) }
        #expect(fault?.description.contains(expected) == true, "\(fault?.description ?? "")")
        #expect(fault?.description.contains("s3cret") == false)
    }

    @Test("Tenants of a caller are named by slug, or by key, which may look like a number")
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

    @Test("An unknown variable, a bad URL, a missing one, and a password in a flag are refused")
    func environmentFaults() {
        func fault(_ environment: [String: String], flags: [ConfigurationKey: String] = [:]) -> String {
            #expect(throws: ConfigurationFault.self) { try load(flags: flags, environment: environment) }?.description ?? ""
        }
        #expect(fault(["ADMINEXPORT_DATBASE_URL": "x"]).contains("ADMINEXPORT_DATBASE_URL"))
        #expect(fault([:]).contains("no database is configured"))
        #expect(fault(["ADMINEXPORT_DATABASE_URL": "postgresql://u:s3/cret@h/d"]).contains("port is not a number"))
        #expect(!fault(["ADMINEXPORT_DATABASE_URL": "postgresql://u:s3/cret@h/d"]).contains("s3"))
        #expect(fault(Self.url, flags: [.databaseURL: "postgresql://u:s3cret@h/d"]).contains("ps"))
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
    }
}
