import AdminExportAPI
import AdminExportClient
@testable import Daemon
import Foundation
import Testing
import TestSupport

/// A database whose encoding lacks some characters.
@Suite(.timeLimit(.minutes(10)), .serialized) struct EncodingTests {
    /// The small tenant, with names that every encoding can store.
    private static let sql = String(
        String.UnicodeScalarView(SmallTenant.sql.unicodeScalars.map { $0.isASCII ? $0 : "?" }))

    /// An address that none of the encodings can store.
    private static let strange = "ow𝓃er👩‍💻@acme.example"

    @Test(
        "A text that the database cannot store names nobody or is an invalid parameter, and exports continue",
        arguments: ["LATIN1", "WIN1252", "KOI8R", "EUC_JP", "SQL_ASCII"])
    func encodings(_ encoding: String) async throws {
        try await ServiceProcess.with(sql: Self.sql, encoding: encoding) { service in
            if ["LATIN1", "WIN1252"].contains(encoding) {
                try await service.database.execute("UPDATE directory.administrator SET name = 'Zoë Müller' WHERE id = 2")
            }
            let client = try service.client()
            let job = try await service.export()
            #expect(job.state == .succeeded && job.rows == 6, "\(job)")
            let strangers = [
                ActorName(tenant: "acme", administrator: Self.strange),
                ActorName(tenant: "日本👩‍💻", administrator: "owner@acme.example"),
                ActorName(tenant: "日本👩‍💻", administrator: Self.strange),
            ]
            for actor in strangers {
                let errors = [
                    await failure { _ = try await client.call(ExportStart.self, .init(actor: actor)) },
                    await failure { _ = try await client.call(ExportGet.self, .init(actor: actor, job: job.id)) },
                    await failure { _ = try await client.call(ExportList.self, .init(actor: actor)) },
                    await failure { _ = try await client.call(ExportCancel.self, .init(actor: actor, job: job.id)) },
                    await failure { _ = try await client.call(ExportDelete.self, .init(actor: actor, job: job.id)) },
                    await failure {
                        _ = try await client.call(ExportRead.self, .init(actor: actor, job: job.id, offset: 0, length: 1))
                    },
                ]
                for error in errors {
                    #expect(error?.code == .service(code: 1001, kind: "permission-denied"), "\(String(describing: error))")
                }
            }
            // A denied request does not wait for the audit trail.
            try await eventually("the denials are in the trail") {
                try await service.database.text(
                    "SELECT string_agg(DISTINCT reason, ' ' ORDER BY reason) FROM adminexport.audit_event WHERE event = 'denied'"
                ) == "unknown-administrator unknown-tenant"
            }
            if encoding != "SQL_ASCII" {
                let key = await failure {
                    _ = try await client.call(
                        ExportStart.self, .init(actor: ServiceProcess.owner, idempotencyKey: "key 👩‍💻"))
                }
                #expect(key?.code == .service(code: -32602, kind: "invalid-params"), "\(String(describing: key))")
                #expect(key?.message.contains("idempotencyKey") == true)
            }
            let run = try await service.run(["run", "-o", "out.xlsx", "-q"])
            #expect(run.status == 0, "\(run.errors)")
            if ["LATIN1", "WIN1252"].contains(encoding) {
                let read = try await Programs.run(
                    "/bin/sh", ["-c", "unzip -p '\(service.folder)/out.xlsx' | grep -c 'Zoë Müller'"])
                #expect(read.output == "1\n", "\(read)")
            }
            #expect(service.count(of: DaemonEvent.requestFailed) == 0)
        }
    }

    @Test(
        "A configured tenant that the database cannot store counts as missing, and does not affect other tenants",
        arguments: ["acme, 東京", "東京, {key: 1}, {key: 日本}", "\"*\""])
    func callers(_ tenants: String) async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            let named = tenants == "\"*\"" ? tenants : "[\(tenants)]"
            try "callers:\n- {user: \"\(geteuid())\", tenants: \(named), grants: [export, operator]}\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            let environment = ["ADMINEXPORT_CONFIG": file]
            try await ServiceProcess.with(environment: environment, sql: Self.sql, encoding: "LATIN1") { service in
                let client = try service.client()
                let job = try await service.export()
                #expect(try await client.call(ExportList.self, .init(actor: nil)).jobs.map(\.id) == [job.id])
                #expect(try await !client.call(AuditList.self, .init()).events.isEmpty)
                #expect(try await client.call(ServiceHold.self, .init(job: job.id, on: true)).held)
                for tenant in ["東京", "nowhere"] {
                    if tenants == "\"*\"" {
                        #expect(try await client.call(ExportList.self, .init(actor: nil, tenant: tenant)).jobs.isEmpty)
                        #expect(try await client.call(AuditList.self, .init(tenant: tenant)).events.isEmpty)
                    } else {
                        let error = await failure { _ = try await client.call(AuditList.self, .init(tenant: tenant)) }
                        #expect(error?.code == .service(code: 1001, kind: "permission-denied"))
                    }
                }
                let check = try await Programs.run(
                    "adminexportd", ["check-config"],
                    environment: [
                        "ADMINEXPORT_DATABASE_URL": service.database.url(), "ADMINEXPORT_ARCHIVES": service.archives,
                        "ADMINEXPORT_CONFIG": file,
                    ])
                #expect(check.status == 0, "\(check)")
                #expect((check.output + check.errors).contains("東京") == tenants.contains("東京"), "\(check)")
            }
        }
    }

    @Test("demo-data reports that the encoding of the database cannot store its names")
    func demoData() async throws {
        try await TestDatabase.with(encoding: "LATIN1") { database in
            let result = try await Programs.run(
                "adminexportd", ["demo-data", "--tenant", "t", "--administrators", "3"],
                environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: TestDatabase.superuser)])
            #expect(result.status == 78 && result.errors.contains("ENCODING 'UTF8'"), "\(result)")
            #expect(try await database.text("SELECT count(*) FROM directory.tenant") == "0")
        }
    }
}
