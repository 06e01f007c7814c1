import AdminExportAPI
import AdminExportClient
import Evidence
import Exports
import Foundation
import Logging
import Postgres
import Testing
import TestSupport

/// Changes of the audit trail by hand, and `adminexport audit --verify`.
@Suite(.timeLimit(.minutes(10)), .serialized) struct TrailVerificationTests {
    /// A service with a key, and the checkpoints of its trail.
    private struct Trail {
        let service: ServiceProcess
        let keys: SigningKeys
        let maker: CheckpointMaker

        var database: TestDatabase { service.database }

        func verify(_ options: String...) async throws -> Finished {
            try await service.run(["audit", "--verify", "--key", keys.files()[0]] + options)
        }

        /// What `--verify` reports; nil if everything is verified.
        func fault(_ options: String...) async throws -> String? {
            let run = try await service.run(["audit", "--verify", "--key", keys.files()[0]] + options)
            #expect((run.status == 0) == run.errors.isEmpty && [0, 1].contains(run.status), "\(run)")
            #expect((run.status == 0) == run.output.hasPrefix("Verified"), "\(run)")
            return run.status == 0 ? nil : run.errors
        }

        /// Runs SQL that changes the trail, verifies, and takes the change back.
        func fault(after sql: String, undo: String, as role: String?, _ options: String...) async throws -> String? {
            func run(_ sql: String) async throws {
                try await database.execute(role.map { "SET ROLE \($0); \(sql)" } ?? sql)
            }
            try await run(sql)
            let run1 = try await service.run(["audit", "--verify", "--key", keys.files()[0]] + options)
            try await run(undo)
            #expect(run1.status == (run1.errors.isEmpty ? 0 : 1))
            return run1.status == 0 ? nil : run1.errors
        }
    }

    private func withTrail(
        workers: Int = 1, margin: Duration = .zero, maxEvents: Int = CheckpointMaker.maxEvents,
        _ body: (Trail) async throws -> Void
    ) async throws {
        try await ServiceProcess.withKeys(environment: ["ADMINEXPORT_WORKERS": "\(workers)"]) { service, keys in
            let key = try SigningKey(pem: String(contentsOfFile: keys.credentials + "/signing-key", encoding: .utf8))
            let database = JobDatabase(pool: service.database.pool(), role: DatabaseRole.worker)
            let maker = CheckpointMaker(
                database: database,
                signer: EvidenceSigner(key: key, database: database) { tenant, day in "\(tenant)-\(day)" },
                version: "1", margin: margin, maxEvents: maxEvents, logger: Logger(label: "test"))
            if workers > 0 {
                // The service's worker makes the first one, which covers no event.
                try await eventually("the first checkpoint") {
                    try await service.database.text("SELECT count(*) FROM adminexport.audit_checkpoint") == "1"
                }
            }
            try await body(Trail(service: service, keys: keys, maker: maker))
        }
    }

    @Test("Everything that an owner or a superuser changes in covered events is found, and the trail as it was is verified")
    func tampering() async throws {
        try await withTrail { trail in
            _ = try await trail.service.export()
            _ = try await trail.service.run(["run"], as: ActorName(tenant: "acme", administrator: "nobody@acme.example"))
            try await trail.maker.make()
            _ = try await trail.service.export()
            try await trail.maker.make()
            #expect(try await trail.fault() == nil)
            let table = "adminexport.audit_event"
            let some = "(SELECT min(id) FROM \(table) WHERE event = 'started')"
            let saved = "adminexport.saved_event"
            try await trail.database.execute(
                "CREATE TABLE \(saved) AS TABLE \(table); ALTER TABLE \(saved) OWNER TO adminexport_owner")
            let restore = "TRUNCATE \(table); INSERT INTO \(table) SELECT * FROM \(saved)"
            var changes: [(sql: String, found: String)] = [
                ("DELETE FROM \(table) WHERE id = \(some)", "events were removed"),
                ("DELETE FROM \(table) WHERE event = 'finished'", "events were removed"),
                ("TRUNCATE \(table)", "events were removed"),
                ("INSERT INTO \(table) SELECT * FROM \(table) WHERE id = \(some)", "events were added"),
                (
                    "INSERT INTO \(table) (at, event, reason) SELECT at + interval '1 microsecond', 'paused', NULL FROM \(table) WHERE id = \(some)",
                    "events were added"
                ),
                ("INSERT INTO \(table) (at, event) VALUES ('2020-01-01', 'paused')", "events were added"),
                ("UPDATE \(table) SET at = at - interval '1 microsecond' WHERE id = \(some)", "events were changed"),
                ("UPDATE \(table) SET at = now() + interval '1 day' WHERE id = \(some)", "events were removed"),
                // Nothing but the order of two events.
                (
                    "UPDATE \(table) e SET id = o.id FROM \(table) o WHERE e.event IN ('requested', 'started') AND o.event IN ('requested', 'started') AND e.job = o.job AND e.id <> o.id",
                    "events were changed"
                ),
            ]
            let values = [
                ("event", "'failed'"), ("job", "gen_random_uuid()"), ("tenant_key", "'9'"), ("tenant_slug", "'globex'"),
                ("actor_key", "'9'"), ("actor_email", "'x@acme.example'"), ("peer_uid", "4711"), ("peer_gid", "4711"),
                ("peer_pid", "4711"), ("reason", "'x'"), ("details", "details || '{\"rows\": 0}'"), ("id", "id + 1000000"),
            ]
            changes += values.map { ("UPDATE \(table) SET \($0.0) = \($0.1) WHERE id = \(some)", "events were changed") }
            changes += ["job", "tenant_key", "actor_email", "details"].map { column in
                (
                    "UPDATE \(table) SET \(column) = \(column == "details" ? "'{}'" : "NULL") WHERE id = \(some)",
                    "events were changed"
                )
            }
            // Every column of the table is covered.
            let columns = try await trail.database.text(
                "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = '\(table)'::regclass AND attnum > 0 AND NOT attisdropped"
            )
            #expect(columns == (values.map(\.0) + ["at"]).sorted().joined(separator: " "))
            for (index, change) in changes.enumerated() {
                let fault = try await trail.fault(
                    after: change.sql, undo: restore, as: index % 2 == 0 ? "adminexport_owner" : nil)
                #expect(fault?.contains(change.found) == true, "\(change.sql): \(fault ?? "verified")")
                #expect(fault?.contains("@") == false)
            }
            #expect(try await trail.fault() == nil)
        }
    }

    @Test(
        "A partition that was dropped by hand is found, and so are months that prune has removed without a signature; with one, they are not"
    )
    func months() async throws {
        try await withTrail { trail in
            // Months before the first checkpoint, as an installation has them that gets a key later.
            try await trail.database.execute(
                """
                TRUNCATE adminexport.audit_checkpoint;
                CREATE TABLE adminexport.audit_event_2024_01 PARTITION OF adminexport.audit_event
                    FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
                ALTER TABLE adminexport.audit_event_2024_01 OWNER TO adminexport_owner;
                INSERT INTO adminexport.audit_event (at, event) VALUES ('2024-01-15', 'paused'), ('2024-02-10', 'paused'),
                    ('2024-03-10', 'paused'), ('2024-03-31 23:59:59.999999+00', 'resumed'), ('2024-04-01 00:00+00', 'paused')
                """)
            try await trail.maker.make()
            let whole = try await trail.verify()
            #expect(whole.status == 0 && whole.output.contains("Events:        5"), "\(whole)")
            let month = "adminexport.audit_event_2024_01"
            let period = "FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00')"
            let changes = [
                (
                    "ALTER TABLE adminexport.audit_event DETACH PARTITION \(month)",
                    "ALTER TABLE adminexport.audit_event ATTACH PARTITION \(month) \(period)"
                ),
                (
                    "CREATE TABLE adminexport.saved AS TABLE \(month); DROP TABLE \(month)",
                    "CREATE TABLE \(month) PARTITION OF adminexport.audit_event \(period); INSERT INTO \(month) SELECT * FROM adminexport.saved; DROP TABLE adminexport.saved"
                ),
            ]
            for (after, undo) in changes {
                let fault = try await trail.fault(after: after, undo: undo, as: "adminexport_owner")
                #expect(
                    fault?.contains(
                        "events were removed from the beginning to 2024-02-01T00:00:00.000000Z (checkpoint 1): 0 instead of 1"
                    ) == true, "\(after): \(fault ?? "verified")")
            }
            #expect(try await trail.fault() == nil)

            func prune(_ options: String...) async throws -> Finished {
                try await Programs.run(
                    "adminexportd", ["prune"] + options,
                    environment: ["ADMINEXPORT_DATABASE_URL": trail.database.url(user: TestDatabase.superuser)])
            }
            async let pruned = prune("--audit-before", "2024-03-05")
            try await eventually("the request") {
                try await trail.database.text("SELECT before::text FROM adminexport.audit_prune")
                    == "2024-03-01"
            }
            #expect(
                try await trail.database.text("SELECT count(*) FROM adminexport.audit_event WHERE at < '2024-03-01'") == "2")
            try await trail.maker.make()
            let finished = try await pruned
            #expect(
                finished.status == 0 && finished.output.contains("2024-01\n") && finished.output.contains("2024-02\n"),
                "\(finished)")
            let verified = try await trail.verify()
            #expect(
                verified.status == 0
                    && verified.output.contains("the events before 2024-03-01T00:00:00.000000Z, by adminexportd prune"),
                "\(verified)")
            #expect(
                try await trail.database.text(
                    "SELECT reason || ' ' || (details->>'login') FROM adminexport.audit_event WHERE event = 'pruned'")
                    == "2024-03-01 \(TestDatabase.superuser)")
            // What remains of a removed month must be as it was.
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) VALUES ('2024-01-20', 'paused')")
            #expect(try await trail.fault()?.contains("events were changed") == true)
            try await trail.database.execute("DELETE FROM adminexport.audit_event WHERE at < '2024-03-01'")
            // A month more, without a signature.
            let unsigned = try await prune("--audit-before", "2024-04-01", "--unsigned")
            #expect(unsigned.status == 0 && unsigned.output.contains("2024-03\n"), "\(unsigned)")
            #expect(try await trail.fault()?.contains("events were removed from 2024-03-01T00:00:00.000000Z") == true)
        }
    }

    @Test(
        "Checkpoints that were removed, replaced or signed by another key are found; the end of the chain by a copy outside")
    func checkpoints() async throws {
        try await withTrail { trail in
            for _ in 0..<3 {
                _ = try await trail.service.export()
                try await trail.maker.make()
            }
            let file = trail.service.folder + "/checkpoints"
            let kept = try await trail.service.run(["audit", "--checkpoint", file])
            #expect(kept.status == 0, "\(kept)")
            func lines() throws -> Int { try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").count }
            let count = try lines()
            #expect(try await trail.database.text("SELECT max(number) FROM adminexport.audit_checkpoint") == "\(count)")
            #expect(try await trail.service.run(["audit", "--checkpoint", file]).status == 0)
            #expect(try lines() == count)
            #expect(try await trail.fault("--since", file) == nil)

            let table = "adminexport.audit_checkpoint"
            try await trail.database.execute("CREATE TABLE adminexport.saved AS TABLE \(table)")
            let restore = "TRUNCATE \(table); INSERT INTO \(table) SELECT * FROM adminexport.saved"
            let cut = "DELETE FROM \(table) WHERE number = \(count)"
            for (change, found) in [
                ("DELETE FROM \(table) WHERE number = 1", "checkpoint 1 is missing"),
                ("DELETE FROM \(table) WHERE number = 2", "checkpoint 2 is missing"),
                (
                    "UPDATE \(table) SET number = number + 1 WHERE number = \(count)",
                    "has the number \(count + 1) in the table"
                ),
                ("INSERT INTO \(table) (number, envelope) VALUES (99, 'x')", "checkpoint \(count + 1) is not valid"),
                (
                    "UPDATE \(table) SET envelope = (SELECT envelope FROM \(table) WHERE number = 1) WHERE number = 2",
                    "checkpoint 1 occurs twice"
                ),
                (
                    "UPDATE \(table) SET envelope = replace(envelope, '\"payload\":\"ey', '\"payload\":\"eY') WHERE number = 2",
                    "checkpoint 2 is not valid"
                ),
                ("TRUNCATE \(table)", "the trail has no checkpoint"),
                // Without a copy outside, the rest of the chain is whole.
                (cut, nil),
            ] as [(String, String?)] {
                let fault = try await trail.fault(after: change, undo: restore, as: nil)
                #expect(found.map { fault?.contains($0) == true } ?? (fault == nil), "\(change): \(fault ?? "verified")")
            }
            let shortened = try await trail.fault(after: cut, undo: restore, as: nil, "--since", file)
            #expect(shortened?.contains("checkpoint \(count) was kept: checkpoints were removed") == true)
            // The end is removed, events are changed, and the worker signs them again.
            try await trail.database.execute(
                cut
                    + "; UPDATE adminexport.audit_event SET actor_email = 'x@acme.example' WHERE id = (SELECT max(id) FROM adminexport.audit_event)"
            )
            try await trail.maker.make()
            #expect(try await trail.fault() == nil)
            #expect(
                try await trail.fault("--since", file)?.contains(
                    "checkpoint \(count) of the trail is not the one that was kept") == true)
            let refused = try await trail.service.run(["audit", "--checkpoint", file])
            #expect(refused.status == 1 && refused.errors.contains("--since"), "\(refused)")
            #expect(try lines() == count)

            // Another key, an unreadable file, and conditions that make no sense.
            let stranger = SigningKeys(folder: trail.service.folder + "/stranger")
            _ = try await stranger.make()
            let foreign = try await trail.service.run(["audit", "--verify", "--key", stranger.files()[0]])
            #expect(foreign.status == 1 && foreign.errors.contains("none of the known keys has signed it"))
            try "x\n".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await trail.fault("--since", file)?.contains("line 1 of \(file) is not a checkpoint") == true)
            try "".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await trail.fault("--since", file)?.contains("contains no checkpoint") == true)
            #expect(try await trail.fault("--since", "/none")?.contains("/none cannot be read") == true)
            for options in [["--verify", "--tenant", "acme"], ["--since", file], ["--verify", "--checkpoint", file]] {
                #expect(try await trail.service.run(["audit"] + options).status == 64)
            }
        }
    }

    @Test("A transaction that commits late delays the checkpoint, and its event is covered and no alarm")
    func lateCommit() async throws {
        try await withTrail { trail in
            let connection = try await trail.database.connect()
            let before = try await trail.database.text("SELECT max(number) FROM adminexport.audit_checkpoint")
            try await connection.script("begin", "BEGIN; INSERT INTO adminexport.audit_event (event) VALUES ('paused')")
            async let made: Void = trail.maker.make()
            try await eventually("the maker has asked whether the transaction has ended") {
                try await trail.database.text(
                    "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT NOT EXISTS (SELECT FROM (SELECT a.backend_xid%' AND pid <> pg_backend_pid()"
                ) == "true"
            }
            #expect(try await trail.database.text("SELECT max(number) FROM adminexport.audit_checkpoint") == before)
            // Events of later transactions do not wait.
            _ = try await trail.service.export()
            try await connection.script("commit", "COMMIT")
            try await made
            #expect(try await trail.fault() == nil)
            try await trail.database.execute("DELETE FROM adminexport.audit_event WHERE event = 'paused'")
            #expect(try await trail.fault()?.contains("events were removed") == true)
        }
    }

    @Test("Events that repeat the time and the number of another one are found, also where a page of the reader ends")
    func pages() async throws {
        try await withTrail { trail in
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) SELECT now() - n * interval '1 microsecond', 'paused' FROM generate_series(1, 10100) n"
            )
            try await trail.maker.make()
            #expect(try await trail.fault() == nil)
            for place in [4_998, 4_999, 5_000, 9_999] {
                for count in [1, 5_100] {
                    let fault = try await trail.fault(
                        after:
                            "INSERT INTO adminexport.audit_event (at, id, event, actor_email) SELECT at, id, 'downloaded', 'forged' FROM (SELECT at, id FROM adminexport.audit_event ORDER BY at, id OFFSET \(place) LIMIT 1) e, generate_series(1, \(count))",
                        undo: "DELETE FROM adminexport.audit_event WHERE actor_email = 'forged'", as: nil)
                    #expect(
                        fault?.contains("events were added") == true && fault?.contains("\(10_100 + count)") == true,
                        "\(place) \(count) \(fault ?? "")")
                }
            }
        }
    }

    @Test(
        "A request to remove months is a licence for neither other months nor a part of them, and a trail that was replaced is refused"
    )
    func licence() async throws {
        try await withTrail(workers: 0) { trail in
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) SELECT make_date(2024, n, 10), 'paused' FROM generate_series(1, 6) n"
            )
            try await trail.maker.make()
            // Not a whole month, in the future, and too old.
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_prune (before, requested_at) VALUES ('2024-06-15', now()), ('2999-01-01', now()), ('2024-05-01', now() - interval '11 minutes')"
            )
            try await trail.maker.make()
            let table = "adminexport.audit_event"
            func fault(_ months: String) async throws -> String? {
                try await trail.fault(
                    after:
                        "DELETE FROM \(table) WHERE event = 'paused' AND extract(month FROM at) IN (\(months)) AND at < '2025-01-01'",
                    undo: "DELETE FROM \(table) WHERE event = 'paused'; INSERT INTO \(table) SELECT * FROM saved", as: nil)
            }
            try await trail.database.execute("CREATE TABLE saved AS TABLE \(table)")
            #expect(try await fault("1")?.contains("events were removed") == true)
            try await trail.database.execute(
                "DELETE FROM adminexport.audit_prune; INSERT INTO adminexport.audit_prune (before) VALUES ('2024-04-01')")
            try await trail.maker.make()
            #expect(try await trail.fault() == nil)
            #expect(try await fault("1") == nil)
            #expect(try await fault("1, 2, 3") == nil)
            for months in ["2", "1, 3", "1, 2, 3, 4", "5", "1, 6"] {
                #expect(try await fault(months)?.contains("events were removed") == true, "\(months)")
            }
            // Workers and the service may not ask for it.
            for role in ["adminexport_api", "adminexport_worker"] {
                await #expect(throws: PostgresError.self) {
                    try await trail.database.execute(
                        "SET ROLE \(role); INSERT INTO adminexport.audit_prune (before) VALUES ('2024-06-01')")
                }
            }
            for time in ["infinity", "20000-01-01", "2400-01-01"] {
                let fault = try await trail.fault(
                    after: "INSERT INTO \(table) (at, event, reason) VALUES ('\(time)', 'paused', 'forged')",
                    undo: "DELETE FROM \(table) WHERE reason = 'forged'", as: nil)
                #expect(fault?.contains("times in the future") == true, "\(time): \(fault ?? "")")
            }
            let replaced = try await trail.fault(
                after:
                    "ALTER TABLE \(table) RENAME TO real_event; CREATE VIEW \(table) AS SELECT * FROM adminexport.real_event; GRANT SELECT ON \(table) TO adminexport_api",
                undo: "DROP VIEW \(table); ALTER TABLE adminexport.real_event RENAME TO audit_event", as: nil)
            #expect(replaced?.contains("is not the table that adminexportd migrate has made") == true, "\(replaced ?? "")")
        }
    }

    @Test(
        "A request to remove months that comes before the first checkpoint is signed by the last one, and many faults take no longer than none"
    )
    func earlyRequest() async throws {
        try await withTrail(workers: 0) { trail in
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) SELECT make_date(2022 + n / 12, n % 12 + 1, 10), 'paused' FROM generate_series(0, 35) n; INSERT INTO adminexport.audit_prune (before) VALUES ('2024-01-01')"
            )
            try await trail.maker.make()
            #expect(try await trail.fault() == nil)
            let removed = try await trail.fault(
                after:
                    "CREATE TABLE saved AS TABLE adminexport.audit_event; DELETE FROM adminexport.audit_event WHERE at < '2024-01-01'",
                undo:
                    "TRUNCATE adminexport.audit_event; INSERT INTO adminexport.audit_event SELECT * FROM saved; DROP TABLE saved",
                as: nil)
            #expect(removed == nil)
            let all = try await trail.fault(
                after:
                    "CREATE TABLE saved AS TABLE adminexport.audit_event; UPDATE adminexport.audit_event SET reason = 'x'",
                undo:
                    "TRUNCATE adminexport.audit_event; INSERT INTO adminexport.audit_event SELECT * FROM saved; DROP TABLE saved",
                as: nil)
            #expect(all?.contains("16 more faults") == true, "\(all ?? "")")
        }
    }

    @Test("A trail whose newest checkpoint is old is not verified, and the first events may be of any time")
    func stale() async throws {
        try await withTrail(workers: 0, margin: .seconds(4 * 3_600)) { trail in
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) VALUES ('-infinity', 'paused'), ('1969-03-01', 'paused'), ('1969-11-01', 'paused'), ('2024-02-01', 'paused')"
            )
            try await trail.maker.make()
            // Months without events have no checkpoints.
            #expect(try await trail.database.text("SELECT count(*) FROM adminexport.audit_checkpoint") == "3")
            let run = try await trail.verify()
            #expect(run.status == 1 && run.errors.contains("more than three hours ago"), "\(run)")
            #expect(run.errors.filter(\.isNewline).count == 1)
        }
    }

    @Test("More events than one checkpoint covers need several; workers that make the same one make it once")
    func many() async throws {
        try await withTrail(maxEvents: 1_000) { trail in
            // Some events have the same time, at the limit, too.
            try await trail.database.execute(
                "INSERT INTO adminexport.audit_event (at, event) SELECT now() - (n / 10 * 10) * interval '1 microsecond', 'paused' FROM generate_series(1, 12345) n"
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await trail.maker.make() } }
                try await group.waitForAll()
            }
            let report = try await trail.service.run(["audit", "--verify", "--json", "--key", trail.keys.files()[0]])
            #expect(report.status == 0, "\(report)")
            let number = try #require(
                try await trail.database.text("SELECT max(number) FROM adminexport.audit_checkpoint").flatMap { Int($0) })
            #expect((13...17).contains(number))
            #expect(
                report.output.contains("\"events\" : 12345") && report.output.contains("\"checkpoints\" : \(number)"),
                "\(report.output)")
        }
    }
}
