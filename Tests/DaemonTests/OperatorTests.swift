import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(10))) struct OperatorTests {
    /// Runs the service with these tenants and grants for the user of the tests.
    private static func configured(_ grants: String, _ body: (ServiceProcess) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            try "callers:\n- {user: \"\(geteuid())\", \(grants)}\n".write(toFile: file, atomically: true, encoding: .utf8)
            try await ServiceProcess.with(environment: ["ADMINEXPORT_CONFIG": file], body)
        }
    }

    @Test("A caller without the operator grant may neither control the queue nor read the audit trail")
    func noOperator() async throws {
        try await Self.configured("tenants: \"*\", grants: [export]") { service in
            let job = try await service.export()
            let client = try service.client()
            let calls: [() async throws -> Void] = [
                { _ = try await client.call(ServicePause.self, NoMembers()) },
                { _ = try await client.call(ServiceResume.self, NoMembers()) },
                { _ = try await client.call(ServiceWorkers.self, NoMembers()) },
                { _ = try await client.call(ServiceDrain.self, .init(worker: job.id)) },
                { _ = try await client.call(ServiceHold.self, .init(job: job.id, on: true)) },
                { _ = try await client.call(AuditList.self, .init()) },
                { _ = try await client.call(AuditList.self, .init(tenant: "acme")) },
            ]
            for call in calls {
                #expect(await failure(call)?.code == .service(code: 1001, kind: "permission-denied"))
            }
            #expect(try await client.call(ServiceHealth.self, NoMembers()).paused == false)
        }
    }

    @Test(
        "An operator of one tenant may hold its jobs and read its trail, but has no access to other tenants or to the queue")
    func operatorOfOne() async throws {
        try await Self.configured("tenants: [globex], grants: [export, operator]") { service in
            let client = try service.client()
            let owner = ActorName(tenant: "globex", administrator: "owner@globex.example")
            let mine = try await service.export(owner)
            // A job of another tenant, which this caller could not start.
            let other = "018f0000-0000-7000-8000-000000000001"
            try await service.database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, state, finished_at,
                    cancel_requested_at) VALUES ('\(other)', '1', '1', 'acme', 'e', '{}', 'cancelled', now(), now());
                INSERT INTO adminexport.audit_event (event, job, tenant_slug) VALUES ('cancelled', '\(other)', 'acme'), ('paused', NULL, NULL),
                    ('denied', NULL, 'globex')
                """)
            #expect(try await client.call(ServiceHold.self, .init(job: mine.id, on: true)).held)
            let hold = await failure { _ = try await client.call(ServiceHold.self, .init(job: other, on: true)) }
            #expect(hold?.code == .service(code: 1002, kind: "not-found"))
            let events = try await client.call(AuditList.self, .init()).events
            #expect(events.map(\.event) == ["held", "finished", "started", "requested"])
            #expect(events.allSatisfy { $0.tenant == "globex" })
            let foreign = await failure { _ = try await client.call(AuditList.self, .init(tenant: "acme")) }
            #expect(foreign?.code == .service(code: 1001, kind: "permission-denied"))
            let pause = await failure { _ = try await client.call(ServicePause.self, NoMembers()) }
            #expect(pause?.code == .service(code: 1001, kind: "permission-denied"))
        }
    }

    /// Renames the tenant `acme`, and gives its slug to another tenant.
    private static let renamed = """
        UPDATE directory.tenant SET slug = 'acme-old' WHERE id = 1;
        INSERT INTO directory.tenant (id, slug, name) VALUES (3, 'acme', 'Acme');
        INSERT INTO directory.profile (id, tenant_id, name, permissions, scope) VALUES (30, 3, 'All', '{administrators.view}', 'tenant');
        INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id) VALUES (30, 3, 'New', 'owner@acme.example', 30)
        """

    private static let renamedOwner = ActorName(tenant: "acme-old", administrator: "owner@acme.example")

    /// Every call of an operator about one job.
    private static func calls(_ client: Client, _ job: String) -> [(name: String, call: () async throws -> Void)] {
        [
            ("get", { _ = try await client.call(ExportGet.self, .init(actor: nil, job: job)) }),
            ("wait", { _ = try await client.call(ExportWait.self, .init(actor: nil, job: job, timeoutMs: 1)) }),
            ("watch", { _ = try await client.call(ExportWatch.self, .init(actor: nil, job: job)) }),
            ("hold", { _ = try await client.call(ServiceHold.self, .init(job: job, on: true)) }),
            ("release", { _ = try await client.call(ServiceHold.self, .init(job: job, on: false)) }),
            ("cancel", { _ = try await client.call(ExportCancel.self, .init(actor: nil, job: job)) }),
            ("delete", { _ = try await client.call(ExportDelete.self, .init(actor: nil, job: job)) }),
        ]
    }

    @Test("An operator of a slug has access to the tenant that has the slug now, not to the one that had it before")
    func operatorOfASlug() async throws {
        try await Self.configured("tenants: [acme, nowhere], grants: [export, operator]") { service in
            let client = try service.client()
            let before = try await service.export()
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [before.id])
            try await service.database.execute(Self.renamed)
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.isEmpty)
            #expect(try await client.call(ExportList.self, .init(actor: nil, tenant: "acme")).jobs.isEmpty)
            #expect(try await client.call(AuditList.self, .init()).events.isEmpty)
            #expect(try await client.call(AuditList.self, .init(tenant: "acme", job: before.id)).events.isEmpty)
            for (name, call) in Self.calls(client, before.id) {
                #expect(await failure(call)?.code == .service(code: 1002, kind: "not-found"), "\(name)")
            }
            for tenant in ["acme-old", "globex", "nothing"] {
                let list = await failure { _ = try await client.call(ExportList.self, .init(actor: nil, tenant: tenant)) }
                #expect(list?.code == .service(code: 1001, kind: "permission-denied"), "\(tenant)")
                let trail = await failure { _ = try await client.call(AuditList.self, .init(tenant: tenant)) }
                #expect(trail?.code == .service(code: 1001, kind: "permission-denied"), "\(tenant)")
            }
            // A slug that no tenant has grants nothing, and the error gives the reason.
            let nowhere = await failure { _ = try await client.call(AuditList.self, .init(tenant: "nowhere")) }
            #expect(nowhere?.message == "The tenant does not exist.")
            // The operator has access to the tenant that has the slug now.
            let after = try await service.export()
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [after.id])
            let events = try await client.call(AuditList.self, .init()).events
            #expect(events.map(\.event) == ["finished", "started", "requested"] && events.allSatisfy { $0.job == after.id })
            for (name, call) in Self.calls(client, after.id) {
                #expect(await failure(call) == nil, "\(name)")
            }
            // The first tenant's row is unchanged.
            #expect(
                try await service.database.text(
                    "SELECT state || hold::text || revision FROM adminexport.job WHERE id = '\(before.id)'")
                    == "succeededfalse\(before.revision)")
        }
    }

    @Test(
        "An operator of a key keeps access to its tenant after a rename and a deletion, but has no access to the old slug"
    )
    func operatorOfAKey() async throws {
        try await Self.configured("tenants: [{key: 1}], grants: [export, operator]") { service in
            let client = try service.client()
            let job = try await service.export()
            let grants = try await client.call(ServiceInfo.self, NoMembers()).caller.grants
            #expect(grants.map(\.keys) == [["1"], ["1"]] && grants.map(\.tenants) == [[], []])
            #expect(try await service.run(["info"]).output.contains("the tenant with the key 1"))
            try await service.database.execute(Self.renamed)
            for tenant in [nil, "acme-old"] {
                #expect(
                    try await client.call(ExportList.self, .init(actor: nil, tenant: tenant)).jobs.map(\.id) == [job.id])
                #expect(try await client.call(AuditList.self, .init(tenant: tenant)).events.count == 3)
            }
            // A tenant that has the old slug and a tenant that does not exist cause the same error.
            for tenant in ["acme", "nothing"] {
                let actor = ActorName(tenant: tenant, administrator: "owner@acme.example")
                let calls: [(name: String, call: () async throws -> Void)] = [
                    ("start", { _ = try await client.call(ExportStart.self, .init(actor: actor)) }),
                    ("get", { _ = try await client.call(ExportGet.self, .init(actor: actor, job: job.id)) }),
                    ("own list", { _ = try await client.call(ExportList.self, .init(actor: actor)) }),
                    ("open", { _ = try await client.call(ExportOpen.self, .init(actor: actor, job: job.id)) }),
                    ("list", { _ = try await client.call(ExportList.self, .init(actor: nil, tenant: tenant)) }),
                    ("audit", { _ = try await client.call(AuditList.self, .init(tenant: tenant)) }),
                ]
                for (name, call) in calls {
                    let error = await failure(call)
                    #expect(
                        error?.code == .service(code: 1001, kind: "permission-denied")
                            && error?.message.contains("requires the grant") == true, "\(name) \(tenant)")
                }
            }
            // The administrators of the renamed tenant continue under the new slug.
            #expect(
                try await client.call(ExportGet.self, .init(actor: Self.renamedOwner, job: job.id)).job.id == job.id)
            #expect(try await service.export(Self.renamedOwner).state == .succeeded)
            try await service.database.execute(
                """
                DELETE FROM directory.administrator_team WHERE administrator_id = 1;
                DELETE FROM directory.administrator_secondary_group WHERE administrator_id IN (1, 6);
                DELETE FROM directory.administrator WHERE tenant_id = 1; DELETE FROM directory.administrator_group WHERE tenant_id = 1;
                DELETE FROM directory.team WHERE tenant_id = 1; DELETE FROM directory.profile WHERE tenant_id = 1;
                DELETE FROM directory.tenant WHERE id = 1
                """)
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.count == 2)
            #expect(try await client.call(AuditList.self, .init(job: job.id)).events.count == 3)
            for (name, call) in Self.calls(client, job.id) {
                #expect(await failure(call) == nil, "\(name)")
            }
        }
    }

    @Test("An operator of all tenants sees every event, and finds tenants by the slugs in jobs and events")
    func operatorOfAll() async throws {
        try await Self.configured("tenants: \"*\", grants: [export, operator]") { service in
            let client = try service.client()
            let before = try await service.export()
            try await service.database.execute(Self.renamed)
            let after = try await service.export()
            try await service.database.execute(
                "INSERT INTO adminexport.audit_event (event, tenant_slug) VALUES ('denied', 'nothing')")
            #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [after.id, before.id])
            #expect(
                try await client.call(ExportList.self, .init(actor: nil, tenant: "acme")).jobs.map(\.id)
                    == [after.id, before.id])
            #expect(try await client.call(AuditList.self, .init()).events.count == 7)
            #expect(try await client.call(AuditList.self, .init(tenant: "nothing")).events.map(\.event) == ["denied"])
        }
    }

    @Test("check-config notes configured tenants that do not exist, and does not fail")
    func missingTenants() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await TemporaryFolder.with { folder in
                let file = folder + "/config.yaml"
                try "callers:\n- {user: root, tenants: [acme, nowhere, {key: 02}, {key: 77}], grants: [operator]}\n"
                    .write(toFile: file, atomically: true, encoding: .utf8)
                let checked = try await Programs.run(
                    "adminexportd", ["check-config", "--config", file, "--archives", folder],
                    environment: ["ADMINEXPORT_DATABASE_URL": database.url()])
                #expect(checked.status == 0, "\(checked)")
                let notes = checked.output.split(separator: "\n").filter { $0.hasPrefix("Note: callers") }
                #expect(notes.count == 2, "\(checked.output)")
                #expect(checked.output.contains("the tenant nowhere") && checked.output.contains("the key 77"))
            }
        }
    }

    @Test("The operator commands work, and print results for people and for programs")
    func commandLine() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            let workers = try await service.run(["workers"])
            let worker = try #require(
                workers.output.split(separator: "\n").last?.split(separator: " ").first.map(String.init))
            #expect(workers.status == 0 && workers.output.contains("0 of 1"))
            let drained = try await service.run(["drain", worker])
            #expect(drained.status == 0 && drained.output.contains("draining"))
            #expect(try await service.run(["drain", worker, "--undo"]).output.contains("draining") == false)
            #expect(try await service.run(["drain", job.id]).status == 1)
            #expect(try await service.run(["pause"]).errors.contains("is paused"))
            let health = try await service.run(["health"])
            #expect(health.status == 75 && health.output.contains("paused"))
            #expect(try await service.run(["resume"]).status == 0)
            // The service reuses the result of health for a quarter of a second.
            try await eventually("health is ok again") { try await service.run(["health"]).status == 0 }
            #expect(try await service.run(["hold", job.id]).errors.contains("under a legal hold"))
            #expect(try await service.run(["delete", job.id]).status == 1)
            #expect(try await service.run(["hold", "--release", job.id]).status == 0)
            #expect(try await service.run(["delete", job.id]).status == 0)
            let trail = try await service.run(["audit", "--export", job.id, "--json", "--limit", "3"])
            let events = try trail.output.split(separator: "\n").map {
                try JSONDecoder().decode(AuditEvent.self, from: Data($0.utf8))
            }
            #expect(events.map(\.event) == ["deleted", "held", "held"] && events.map(\.reason) == [nil, "off", "on"])
            #expect(events.allSatisfy { $0.peer?.uid == Int(geteuid()) } && trail.errors.contains("there are more"))
            let table = try await service.run(["audit", "--event", "requested", "--event", "paused"])
            #expect(table.output.contains("includeDisabled") && table.output.contains("paused"))
            #expect(try await service.run(["audit", "--event", "nothing"]).status == 64)
            #expect(try await service.run(["audit", "--from", "yesterday"]).status == 64)
        }
    }

    @Test("prune expires overdue exports and removes orphans; only the owner of the trail can remove its old months")
    func prune() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            let kept = try await service.export()
            try await service.database.execute(
                "UPDATE adminexport.job SET expires_at = now() - interval '1 h' WHERE id = '\(job.id)'")
            let month = service.archives + "/acme/" + job.createdAt.prefix(7).replacing("-", with: "/")
            let orphan = month + "/018f0000-0000-7000-8000-000000000009.1.xlsx.zst"
            _ = FileManager.default.createFile(atPath: orphan, contents: Data([1]))
            func daemon(_ arguments: [String], user: String = TestDatabase.serviceUser) async throws -> Finished {
                try await Programs.run(
                    "adminexportd", arguments,
                    environment: [
                        "ADMINEXPORT_DATABASE_URL": service.database.url(user: user),
                        "ADMINEXPORT_ARCHIVES": service.archives,
                    ])
            }
            #expect(try await daemon(["prune"]).status == 0)
            // The sweep of the service may have locked the row. Then this sweep expires the export.
            try await eventually("the overdue export and the orphan are gone") {
                try await service.client().call(ExportGet.self, .init(actor: ServiceProcess.owner, job: job.id)).job.state
                    == .expired
                    && FileManager.default.contentsOfDirectory(atPath: month) == ["\(kept.id).1.xlsx.zst"]
            }

            try await service.database.execute(
                """
                CREATE TABLE adminexport.audit_event_2024_01 PARTITION OF adminexport.audit_event
                    FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
                ALTER TABLE adminexport.audit_event_2024_01 OWNER TO adminexport_owner;
                INSERT INTO adminexport.audit_event (at, event)
                    VALUES ('2024-01-15', 'paused'), ('2024-02-10', 'paused'), ('2024-03-10', 'paused')
                """)
            func events() async throws -> String? {
                try await service.database.text(
                    "SELECT string_agg(to_char(at, 'YYYY-MM'), ' ' ORDER BY at) FROM adminexport.audit_event WHERE at < '2025-01-01'"
                )
            }
            let denied = try await daemon(["prune", "--audit-before", "2024-03-01"])
            #expect(denied.status == 78 && denied.errors.contains("a member of adminexport_owner may do this"))
            let owner = TestDatabase.superuser
            let pruned = try await daemon(["prune", "--audit-before", "2024-03-09"], user: owner)
            #expect(
                pruned.status == 0 && pruned.output.contains("2024-01\n") && pruned.output.contains("2024-02\n"), "\(pruned)"
            )
            #expect(try await events() == "2024-03")
            // Even for a day in the far future, the months into which events are written stay.
            #expect(try await daemon(["prune", "--audit-before", "2999-01-01"], user: owner).output.contains("2024-03"))
            #expect(try await service.export().state == .succeeded)
            #expect(try await daemon(["prune", "--audit-before", "soon"], user: owner).status == 64)
        }
    }
}
