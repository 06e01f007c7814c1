import AdminExportAPI
import AdminExportClient
import enum Exports.ExportEvent
import Foundation
import Postgres
import Testing
import TestSupport

/// Audit events about denials and about workbooks that do not arrive.
@Suite(.timeLimit(.minutes(10)), .serialized) struct TrailTests {
    private static let owner = ServiceProcess.owner

    /// Runs the service with rules for callers, and checks the audit trail after the service has stopped.
    private func trail(
        _ callers: String, sql: String = SmallTenant.sql, environment: [String: String] = [:],
        _ body: (ServiceProcess) async throws -> Void, then check: (TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await database.execute(sql)
            try await TemporaryFolder.with { folder in
                try "callers:\n\(callers)\n".write(toFile: folder + "/c.yaml", atomically: true, encoding: .utf8)
                let service = try ServiceProcess.start(
                    database, folder, environment: ["ADMINEXPORT_CONFIG": folder + "/c.yaml"].merging(environment) { $1 })
                defer { service.process.terminate() }
                try await service.waitUntilServing()
                try await body(service)
                service.process.terminate()
                await service.process.end()
                #expect(service.process.terminationStatus == 0, "\(service.log)")
                #expect(service.count(of: ExportEvent.auditLost) == 0, "\(service.log)")
            }
            try await check(database)
        }
    }

    private static var me: String { "- {user: \"\(geteuid())\"" }

    /// All denials, by reason and method.
    private static func denials(_ database: TestDatabase) async throws -> String? {
        try await database.text(
            """
            SELECT string_agg(line, ' ' ORDER BY line) FROM (
                SELECT DISTINCT reason || ':' || jsonb_array_elements_text(details->'methods') AS line
                FROM adminexport.audit_event WHERE event = 'denied') lines
            """)
    }

    @Test("Every method that denies a caller without a grant writes an event with the peer, and no other method does")
    func everyMethod() async throws {
        // Another user has all grants, and the user of this process has none.
        var denied: [String] = []
        try await trail("- {user: \"54321\", tenants: \"*\", grants: [export, operator]}") { service in
            let client = try service.client()
            for method in MethodDescription.all {
                for example in method.examples {
                    let error = await failure {
                        _ = try await client.call(method.name, params: JSONEncoder().encode(example.params))
                    }
                    if error?.kind == "permission-denied" { denied.append(method.name) }
                }
                // Without an actor, both the parameter and the operator grant are missing.
                if method.params["actor"] != nil, ["export.get", "export.list"].contains(method.name) {
                    let params = method.name == "export.get" ? #"{"job":"018f0000-0000-7000-8000-000000000001"}"# : "{}"
                    let error = await failure { _ = try await client.call(method.name, params: Data(params.utf8)) }
                    #expect(error?.code == .service(code: -32602, kind: "invalid-params"))
                }
            }
        } then: { (database: TestDatabase) async throws -> Void in
            #expect(Set(denied).count >= 13, "\(denied)")
            #expect(
                try await Self.denials(database)
                    == Set(denied).sorted().map { "caller-not-allowed:\($0)" }.joined(separator: " "))
            // One event for the first denial, and one with the number of the others.
            #expect(
                try await database.text(
                    """
                    SELECT concat(count(*), ' ', sum((details->>'count')::int), ' ', string_agg(DISTINCT peer_uid::text, ','), ' ',
                        string_agg(DISTINCT peer_gid::text, ','), ' ', string_agg(DISTINCT peer_pid::text, ','))
                    FROM adminexport.audit_event WHERE event = 'denied'
                    """) == "2 \(denied.count + 2) \(geteuid()) \(getegid()) \(getpid())")
        }
    }

    @Test("The trail contains the denial of an actor by any method, but not a job that is not found")
    func everyQuestion() async throws {
        let job = "018f0000-0000-7000-8000-000000000001"
        let reasons = [
            ("none", "owner@acme.example", "unknown-tenant"), ("acme", "none@acme.example", "unknown-administrator"),
            ("acme", "gone@acme.example", "administrator-disabled"), ("acme", "nobody@acme.example", "no-permission"),
        ]
        let methods = [
            ("export.start", ""), ("export.list", ""), ("export.get", #","job":"\#(job)""#),
            ("export.wait", #","job":"\#(job)""#), ("export.watch", #","job":"\#(job)""#),
            ("export.cancel", #","job":"\#(job)""#), ("export.delete", #","job":"\#(job)""#),
            ("export.open", #","job":"\#(job)""#), ("export.read", #","job":"\#(job)","offset":0,"length":1"#),
            ("export.receipt", #","job":"\#(job)""#),
        ]
        let withActor = MethodDescription.all.filter { $0.params.properties.contains { $0.name == "actor" } }
        #expect(Set(methods.map(\.0)) == Set(withActor.map(\.name)), "a method with an actor is missing in this test")
        try await trail("\(Self.me), tenants: \"*\", grants: [export]}") { service in
            let client = try service.client()
            for (tenant, email, _) in reasons {
                let actor = #""actor":{"tenant":"\#(tenant)","administrator":"\#(email)"}"#
                for (method, more) in methods {
                    let error = await failure {
                        _ = try await client.call(method, params: Data("{\(actor)\(more)}".utf8))
                    }
                    #expect(
                        ["permission-denied", "not-found", nil].contains(error?.kind),
                        "\(method) \(String(describing: error))")
                }
            }
        } then: { (database: TestDatabase) async throws -> Void in
            let all = ["cancel", "delete", "get", "list", "open", "read", "receipt", "start", "wait", "watch"].map {
                "export.\($0)"
            }
            let exporting = ["export.open", "export.read", "export.receipt", "export.start"]
            let expected = reasons.flatMap { reason in
                (reason.2.hasPrefix("unknown") ? all : exporting).map { "\(reason.2):\($0)" }
            }
            #expect(try await Self.denials(database) == expected.sorted().joined(separator: " "))
            // The first event of each reason names the actor, and the tenant's key if the tenant exists.
            #expect(
                try await database.text(
                    """
                    SELECT string_agg(concat(reason, ' ', tenant_slug, ' ', actor_email, ' ', tenant_key), ', ' ORDER BY id)
                    FROM adminexport.audit_event WHERE event = 'denied' AND tenant_slug IS NOT NULL
                    """)
                    == reasons.map { "\($0.2) \($0.0) \($0.1) \($0.0 == "acme" ? "1" : "")" }.joined(separator: ", "))
        }
    }

    @Test("A flood of denials makes two events, whatever the requests contain, and each denial is counted")
    func flood() async throws {
        try await trail("\(Self.me), tenants: [globex], grants: [export]}") { service in
            let client = try service.client()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<8 {
                    group.addTask {
                        for number in 0..<100 {
                            let error = await failure {
                                _ = try await client.call(
                                    ExportList.self,
                                    .init(actor: ActorName(tenant: "t\(part)-\(number)", administrator: "a@x")))
                            }
                            #expect(error?.kind == "permission-denied")
                        }
                    }
                }
                try await group.waitForAll()
            }
        } then: { (database: TestDatabase) async throws -> Void in
            #expect(
                try await database.text(
                    "SELECT concat(count(*), ' ', sum((details->>'count')::int)) FROM adminexport.audit_event") == "2 800")
        }
    }

    @Test("A denied request is answered while the trail is locked, and the denial is written afterwards")
    func blockedTrail() async throws {
        try await ServiceProcess.with { service in
            let blocker = try await service.database.connect()
            try await blocker.script("block", "BEGIN; LOCK TABLE adminexport.audit_event IN ACCESS EXCLUSIVE MODE")
            let client = try service.client()
            let nobody = ActorName(tenant: "acme", administrator: "nobody@acme.example")
            for _ in 1...3 {
                let error = await failure { _ = try await client.call(ExportStart.self, .init(actor: nobody)) }
                #expect(error?.kind == "permission-denied")
            }
            let text = try await client.call(ServiceMetrics.self, NoMembers()).body
            let waiting = text.firstMatch(of: /\nadminexport_audit_events_waiting (\d+)/).flatMap { Int($0.1) }
            #expect(try #require(waiting) > 0)
            try await blocker.script("go", "COMMIT")
            try await eventually("the denial is in the trail") {
                try await service.database.text(
                    "SELECT count(*) FROM adminexport.audit_event WHERE event = 'denied' AND reason = 'no-permission'")
                    == "1"
            }
        }
    }
}

extension TrailTests {
    private static let undelivered = """
        SELECT string_agg(reason, ' ' ORDER BY reason) FROM adminexport.audit_event WHERE event = 'undelivered'
        """

    private func downloaded(_ service: ServiceProcess) async throws -> Int {
        Int(
            try await service.database.text("SELECT count(*) FROM adminexport.audit_event WHERE event = 'downloaded'") ?? "")
            ?? -1
    }

    private func read(_ workbook: OpenWorkbook) async throws -> Int {
        var count = 0
        while let part = try await workbook.read() { count += part.count }
        return count
    }

    @Test("If sixteen of twenty opened workbooks are delivered, the trail contains why four are not")
    func twenty() async throws {
        try await ServiceProcess.with(sql: OpenTests.large) { service in
            let job = try await service.export()
            let client = try service.client()
            var open: [OpenWorkbook] = []
            var refused = 0
            for _ in 1...20 {
                do {
                    open.append(try await client.open(Self.owner, job: job.id))
                } catch let error as ClientError where error.kind == "overloaded" {
                    refused += 1
                }
            }
            #expect(open.count == 16 && refused == 4)
            for workbook in open { #expect(try await read(workbook) == job.size) }
            try await eventually("four events are in the trail") {
                try await service.database.text(Self.undelivered)
                    == Array(repeating: "too-many-transfers", count: 4).joined(separator: " ")
            }
            #expect(try await downloaded(service) == 20)
        }
    }

    @Test("A reader that closes its pipe early is in the trail with the bytes that it has read, for any size of workbook")
    func readerGone() async throws {
        for sql in [SmallTenant.sql, OpenTests.large] {
            try await ServiceProcess.with(sql: sql) { service in
                let job = try await service.export()
                let client = try service.client()
                // Reads all bytes to the end, all bytes by the size, no bytes, and some bytes.
                #expect(try await read(client.open(Self.owner, job: job.id)) == job.size)
                try await Self.take(job.size ?? 0, of: client, job)
                try await Self.take(0, of: client, job)
                try await Self.take(100, of: client, job)
                try await eventually("two events are in the trail") {
                    try await service.database.text(Self.undelivered) == "reader-gone reader-gone"
                }
                #expect(
                    try await service.database.text(
                        """
                        SELECT string_agg(details::text, ' ' ORDER BY details->'bytes') FROM adminexport.audit_event
                        WHERE event = 'undelivered' AND job = '\(job.id)' AND tenant_key = '1' AND actor_email = 'owner@acme.example'
                            AND peer_pid = \(getpid())
                        """) == #"{"of": \#(job.size ?? 0), "bytes": 0} {"of": \#(job.size ?? 0), "bytes": 100}"#)
                #expect(try await downloaded(service) == 4)
            }
        }
    }

    /// Opens the workbook, reads `count` bytes, and closes the pipe.
    private static func take(_ count: Int, of client: Client, _ job: Job) async throws {
        let descriptor = try await client.open(owner, job: job.id).duplicateDescriptor()
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var buffer = [UInt8](repeating: 0, count: max(1, count))
                var left = count
                while left > 0 {
                    let got = Foundation.read(descriptor, &buffer, left)
                    guard got > 0 else { break }
                    left -= got
                }
                close(descriptor)
                continuation.resume()
            }
        }
    }

    @Test("The trail contains undelivered workbooks whose archive is missing or whose service stops")
    func others() async throws {
        try await trail("\(Self.me), tenants: \"*\", grants: [export, operator]}", sql: OpenTests.large) { service in
            let job = try await service.export()
            let client = try service.client()
            // The service stops during this transfer.
            let held = try await client.open(Self.owner, job: job.id)
            let lost = try await service.export()
            let files = FileManager.default.enumerator(atPath: service.archives)?.allObjects as? [String] ?? []
            for file in files where file.contains(lost.id) {
                try FileManager.default.removeItem(atPath: service.archives + "/" + file)
            }
            for encoding in [ExportOpen.Encoding.identity, .zstd] {
                let error = await failure { _ = try await client.open(Self.owner, job: lost.id, encoding: encoding) }
                #expect(error?.kind == "unavailable")
            }
            for _ in 1...2 {
                let error = await failure {
                    _ = try await client.call(ExportRead.self, .init(actor: Self.owner, job: lost.id, offset: 0, length: 1))
                }
                #expect(error?.kind == "unavailable")
            }
            #expect(try await downloaded(service) == 5)
            withExtendedLifetime(held) {}
            service.process.terminate()
            await service.process.end()
            _ = try? await read(held)
        } then: { (database: TestDatabase) async throws -> Void in
            #expect(
                try await database.text(Self.undelivered)
                    == "archive-unreadable archive-unreadable archive-unreadable archive-unreadable service-stopped")
        }
    }

    @Test(
        "If the caller disconnects between the event downloaded and its commit, the trail has neither this event nor undelivered"
    )
    func rolledBack() async throws {
        try await ServiceProcess.with(sql: OpenTests.large) { service in
            let job = try await service.export()
            // The statement succeeds although the service cancels it.
            try await service.database.execute(
                """
                CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(60);
                    RETURN NEW;
                EXCEPTION WHEN query_canceled THEN RETURN NEW;
                END $$;
                CREATE TRIGGER slow AFTER INSERT ON adminexport.audit_event FOR EACH ROW WHEN (NEW.event = 'downloaded')
                EXECUTE FUNCTION public.slow()
                """)
            let client = try service.client()
            let request = Task { _ = try await client.open(Self.owner, job: job.id) }
            func sleeping() async throws -> String? {
                try await service.database.text(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'
                    """)
            }
            try await eventually("the event is being written") { try await sleeping() == "1" }
            client.close()
            _ = await request.result
            try await eventually("the statement has ended") { try await sleeping() == "0" }
            try await service.database.execute("DROP TRIGGER slow ON adminexport.audit_event")
            // A workbook that nobody reads: its event follows those that are due.
            _ = try await service.client().open(Self.owner, job: job.id)
            try await eventually("the second workbook is in the trail") {
                try await service.database.text(Self.undelivered) != nil
            }
            #expect(try await service.database.text(Self.undelivered) == "reader-gone")
            #expect(try await downloaded(service) == 1)
        }
    }

    @Test(
        "A caller that disconnects before the reply is in the trail", arguments: [ExportOpen.Encoding.identity, .zstd])
    func callerGone(_ encoding: ExportOpen.Encoding) async throws {
        try await ServiceProcess.with(sql: OpenTests.large) { service in
            let job = try await service.export()
            let blocker = try await service.database.connect()
            // The request has begun, and continues after its caller has disconnected.
            try await blocker.script("block", "BEGIN; LOCK TABLE adminexport.audit_event IN ACCESS EXCLUSIVE MODE")
            let client = try service.client()
            let request = Task { _ = try await client.open(Self.owner, job: job.id, encoding: encoding) }
            try await eventually("the request waits for the table") {
                try await service.database.text(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'adminexport.audit_event'::regclass")
                    == "1"
            }
            client.close()
            _ = await request.result
            try await blocker.script("go", "COMMIT")
            try await eventually("the request has ended") {
                try await service.database.text(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = '\(TestDatabase.serviceUser)'
                        AND state <> 'idle'
                    """) == "0"
            }
            // Whether or not the request has begun: an event downloaded has an event undelivered.
            try await eventually("the trail has both events or neither") {
                let undelivered = try await service.database.text(Self.undelivered)
                return try await downloaded(service) == (undelivered == nil ? 0 : 1)
            }
        }
    }
}
