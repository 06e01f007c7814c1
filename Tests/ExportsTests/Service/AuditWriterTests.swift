import Foundation
import Logging
import Postgres
import Synchronization
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct AuditWriterTests {
    private static let peer = CallingProcess(uid: 1_000, gid: 1_001, pid: 4_711)
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs the writer while the body runs, and stops it as the service does.
    private func running(_ writer: AuditWriter, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await writer.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private static func delivery(_ number: Int) -> Audit.Entry {
        Audit.Entry(
            event: .undelivered, job: nil, tenantKey: "1", tenant: "acme", actorKey: "2", actorEmail: "a@x", peer: peer,
            reason: "reader-gone", details: #"{"bytes": \#(number)}"#)
    }

    /// Replaces the database.
    private final class Table: Sendable {
        private let state = Mutex((entries: [Audit.Entry](), failures: 0))

        var entries: [Audit.Entry] { state.withLock(\.entries) }

        func fail(_ times: Int) { state.withLock { $0.failures = times } }

        func insert(_ entries: [Audit.Entry]) throws {
            try state.withLock { state in
                guard state.failures == 0 else {
                    state.failures -= 1
                    throw PostgresError(.unreachable, "no server")
                }
                state.entries += entries
            }
        }
    }

    @Test("Events that the database does not accept are kept and counted, and are written when it accepts them again")
    func databaseAway() async throws {
        let table = Table()
        table.fail(3)
        let writer = AuditWriter(logger: Self.logger) { try table.insert($0) }
        try await running(writer) {
            for number in 0..<500 {
                writer.denied(Self.peer, reason: "no-permission", method: "export.get") {
                    DeniedSubject(tenant: "t\(number)")
                }
                if number < 250 { writer.undelivered(Self.delivery(number)) }
            }
            try await eventually("all deliveries are written") { table.entries.count { $0.event == .undelivered } == 250 }
        }
        #expect(
            table.entries.filter { $0.event == .undelivered }.map(\.details) == (0..<250).map { #"{"bytes": \#($0)}"# })
        let denials = table.entries.filter { $0.event == .denied }
        #expect(denials.count == 1 && denials[0].tenant == "t0" && denials[0].peer == Self.peer)
        // The denials after the first are only counted, and not due yet.
        let counted = denials.compactMap { $0.details.firstMatch(of: /"count": ([0-9]+)/).flatMap { Int($0.1) } }
        #expect(counted.reduce(0, +) + writer.figures.waiting == 500 && writer.figures.lost == 0)
    }

    @Test(
        "While the database hangs, no caller waits, the number of waiting events is limited, and the rest is counted as lost"
    )
    func databaseHangs() async throws {
        let writer = AuditWriter(logger: Self.logger) { _ in try await Task.sleep(for: .seconds(3_600)) }
        try await running(writer) {
            for uid in 0..<5_000 {
                writer.denied(CallingProcess(uid: uid, gid: 0, pid: 0), reason: "no-permission", method: "export.get") {
                    DeniedSubject()
                }
                writer.undelivered(Self.delivery(uid))
            }
            #expect(writer.figures.lost == 5_000 - 4_096)
            #expect(writer.figures.waiting <= 4_096 + 5_000)
        }
    }

    @Test("A writer that stops writes all waiting events, including those that are not due")
    func flush() async throws {
        let table = Table()
        let writer = AuditWriter(interval: .seconds(3_600), logger: Self.logger) { try table.insert($0) }
        for _ in 1...100 { writer.denied(Self.peer, reason: "no-permission", method: "export.get") { DeniedSubject() } }
        let task = Task { try await writer.run() }
        try await eventually("the first event is written") { !table.entries.isEmpty }
        for _ in 1...50 { writer.denied(Self.peer, reason: "no-permission", method: "export.list") { DeniedSubject() } }
        #expect(table.entries.count == 1)
        task.cancel()
        try await task.value
        #expect(table.entries.count == 2 && table.entries[1].details.contains(#""count": 50"#))
        #expect(table.entries[1].details.contains(#""methods": ["export.list"]"#) && writer.figures.waiting == 0)
    }

    @Test(
        "The event of a denial can be written for any text that was sent, in any encoding of the database",
        arguments: [
            "acme", "", "a\0b", "東京", "acmé", "\u{202E}evil\u{7}\n", String(repeating: "é", count: 100_000), "\"}',\\",
            "\u{FFFF}",
            "👩🏽‍💻",
        ], ["UTF8", "LATIN1", "EUC_JP", "SQL_ASCII"])
    func anything(_ text: String, _ encoding: String) async throws {
        try await TestDatabase.with(encoding: encoding) { database in
            let pool = database.pool()
            let writer = AuditWriter(pool: pool, logger: Self.logger)
            try await running(writer) {
                writer.undelivered(Self.delivery(1))
                writer.denied(Self.peer, reason: "unknown-tenant", method: "export.get") {
                    DeniedSubject(tenant: text, administrator: text)
                }
                try await eventually("both events are written") {
                    try await database.text("SELECT count(*) FROM adminexport.audit_event") == "2"
                }
            }
            let row = try await database.text(
                """
                SELECT concat_ws(' ', peer_uid, peer_gid, peer_pid, reason, details - 'seconds', coalesce(length(tenant_slug), -1) <= 3200)
                FROM adminexport.audit_event WHERE event = 'denied'
                """)
            #expect(
                row == #"1000 1001 4711 unknown-tenant {"count": 1, "methods": ["export.get"]} t"#,
                "\(encoding)")
            #expect(writer.figures == AuditWriter.Figures())
        }
    }

    @Test("A denial has the key of the tenant whose slug was sent, or of its job, if there is one")
    func tenant() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let job = JobID()
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options)
                VALUES ('\(job)', '77', '1', 't', 'e', '{}')
                """)
            let writer = AuditWriter(pool: database.pool(), logger: Self.logger)
            try await running(writer) {
                for (reason, subject) in [
                    ("a", DeniedSubject(tenant: "acme")), ("b", DeniedSubject(tenant: "none")),
                    ("c", DeniedSubject(job: job)),
                    ("d", DeniedSubject()),
                ] {
                    writer.denied(Self.peer, reason: reason, method: "export.get") { subject }
                }
                try await eventually("all events are written") {
                    try await database.text("SELECT count(*) FROM adminexport.audit_event") == "4"
                }
            }
            let acme = try await database.text("SELECT id FROM directory.tenant WHERE slug = 'acme'")
            #expect(
                try await database.text(
                    "SELECT string_agg(reason || coalesce(tenant_key, '-'), ' ' ORDER BY reason) FROM adminexport.audit_event"
                )
                    == "a\(acme ?? "") b- c77 d-")
        }
    }
}
