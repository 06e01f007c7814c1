import AdminExportAPI
import AdminExportClient
@testable import Exports
import Foundation
import Postgres
import Testing
import TestSupport

/// Legal holds with a reason and an end, and their list.
@Suite(.timeLimit(.minutes(10))) struct HoldTests {
    @Test(
        "A hold shows who began it, when, why and until when, in its list, its reply and the audit trail; its actor sees nothing of it"
    )
    func reasons() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let (first, second) = (try await service.export(), try await service.export(includeDisabled: true))
            let begun = try await client.call(
                ServiceHold.self,
                .init(job: first.id, on: true, reason: "Case 2026-17 \u{1B}[31m", until: "2099-01-01T00:00:00+01:00"))
            #expect(begun.held && begun.hold?.uid == Int(getuid()) && begun.hold?.until == "2098-12-31T23:00:00.000Z")
            #expect(begun.hold?.reason == "Case 2026-17 \u{1B}[31m" && begun.hold?.since != nil)
            // Without a reason and an end, a hold that exists stays as it is, for programs of earlier versions, too.
            let again = try await client.call(ServiceHold.self, .init(job: first.id, on: true))
            #expect(again.hold == begun.hold && again.job.revision == begun.job.revision)
            let changed = try await client.call(ServiceHold.self, .init(job: first.id, on: true, reason: "Case 2026-18"))
            #expect(changed.hold?.reason == "Case 2026-18" && changed.hold?.until == nil)
            let bare = try await client.call(ServiceHold.self, .init(job: second.id, on: true))
            #expect(bare.held && bare.hold?.reason == nil && bare.hold?.uid == Int(getuid()))

            let all = try await client.call(ServiceHolds.self, .init())
            #expect(
                all.holds.map(\.job.id) == [second.id, first.id] && all.holds.map(\.hold) == [bare.hold, changed.hold]
                    && all.nextCursor == nil)
            let page = try await client.call(ServiceHolds.self, .init(limit: 1))
            #expect(page.holds.map(\.job.id) == [second.id] && page.nextCursor == second.id)
            let rest = try await client.call(ServiceHolds.self, .init(limit: 1, cursor: page.nextCursor))
            #expect(rest.holds.map(\.job.id) == [first.id] && rest.nextCursor == nil)
            #expect(try await client.call(ServiceHolds.self, .init(tenant: "acme")).holds.count == 2)
            #expect(try await client.call(ServiceHolds.self, .init(tenant: "globex")).holds.isEmpty)
            let printed = try await service.run(["holds"])
            #expect(
                printed.status == 0 && printed.output.contains("Case 2026-18") && printed.output.contains("no end"),
                "\(printed)")
            let job = String(
                decoding: try JSONEncoder().encode(
                    await client.call(ExportGet.self, .init(actor: ServiceProcess.owner, job: first.id)).job), as: UTF8.self)
            #expect(!job.contains("2026-18"))

            let released = try await service.run(["hold", first.id, "--release", "--reason", "Case closed"])
            #expect(released.status == 0 && !released.output.contains("Reason"))
            let none = try await client.call(ServiceHold.self, .init(job: second.id, on: false))
            #expect(!none.held && none.hold == nil)
            #expect(
                try await service.database.text(
                    "SELECT string_agg(concat(reason, ' ', details->>'reason', ' ', details->>'until'), ', ' ORDER BY id) FROM adminexport.audit_event WHERE event = 'held'"
                )
                    == "on Case 2026-17 \u{1B}[31m 2098-12-31T23:00:00.000Z, on Case 2026-18 , on  , off Case closed , off  "
            )
            #expect(
                try await service.database.text(
                    "SELECT count(*) FROM adminexport.job WHERE num_nonnulls(hold_since, hold_uid, hold_reason, hold_until) > 0"
                ) == "0")
        }
    }

    @Test("A reason or an end that makes no sense is refused, and the command line says what to change")
    func refused() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let job = try await service.export()
            for (params, name) in [
                (#""on":true,"until":"tomorrow""#, "until"),
                (#""on":true,"reason":"""#, "reason"),
                (#""on":true,"reason":"\#(String(repeating: "x", count: 501))""#, "reason"),
            ] {
                let error = await failure {
                    _ = try await client.call("service.hold", params: Data("{\"job\":\"\(job.id)\",\(params)}".utf8))
                }
                #expect(
                    error?.kind == "invalid-params" && error?.message.contains(name) == true,
                    "\(params): \(String(describing: error))")
            }
            #expect(try await service.run(["hold", job.id, "--release", "--until", "2099-01-01"]).status == 64)
            #expect(try await service.run(["hold", job.id, "--until", "soon"]).status == 64)
            #expect(try await service.run(["hold", job.id, "--until", "2020-01-01"]).status == 64)
            let day = try await service.run(["hold", job.id, "--until", "2099-06-30", "--reason", "Audit"])
            #expect(
                day.status == 0 && day.output.contains("2099-06-30T00:00:00.000Z") && day.output.contains("Audit"), "\(day)")
        }
    }

    @Test("A hold ends after its time, with an event, and other holds stay")
    func end() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options, state, hold, hold_until, hold_reason)
                SELECT gen_random_uuid(), '1', 'acme', '1', 'e', '{}', 'queued', true, now() + n * interval '1 day', 'r' FROM unnest(ARRAY[-1, -2, 1, NULL]) n
                """)
            let pool = database.pool()
            _ = try await pool.withTransaction(role: DatabaseRole.worker) { try await Retention.endHolds(on: $0) }
            #expect(try await database.text("SELECT count(*) FROM adminexport.job WHERE hold AND hold_reason = 'r'") == "2")
            #expect(
                try await database.text("SELECT count(*) FROM adminexport.job WHERE NOT hold AND hold_reason IS NULL") == "2"
            )
            #expect(
                try await database.text(
                    "SELECT concat(count(*), ' ', string_agg(DISTINCT reason, ','), ' ', string_agg(DISTINCT tenant_slug, ',')) FROM adminexport.audit_event WHERE event = 'held'"
                )
                    == "2 off acme")
        }
    }

    @Test("A hold that a program of the previous version begins inherits nothing of an older hold")
    func previousVersion() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let job = try await service.export()
            _ = try await client.call(
                ServiceHold.self, .init(job: job.id, on: true, reason: "Case 2026-17", until: "2099-01-01T00:00:00Z"))
            for isHeld in [false, true] {
                // The statement of version 6.
                try await service.database.execute(
                    "SET ROLE adminexport_api; UPDATE adminexport.job SET hold = \(isHeld), revision = revision + 1 WHERE id = '\(job.id)'"
                )
                #expect(
                    try await service.database.text(
                        "SELECT num_nonnulls(hold_since, hold_uid, hold_reason, hold_until) FROM adminexport.job WHERE id = '\(job.id)'"
                    )
                        == "0")
            }
            let holds = try await client.call(ServiceHolds.self, .init()).holds
            #expect(holds.map(\.hold) == [LegalHold(since: nil, uid: nil, reason: nil, until: nil)])
        }
    }
}
