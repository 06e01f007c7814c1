import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// The audit trail as a file.
@Suite(.timeLimit(.minutes(10))) struct TrailExportTests {
    /// Prints the sheets of a workbook as JSON.
    private static let cells = """
        import json, sys
        import openpyxl
        book = openpyxl.load_workbook(sys.argv[1])
        print(json.dumps({sheet.title: [[None if cell.value is None else str(cell.value) for cell in row] for row in sheet.iter_rows()] for sheet in book}))
        """

    private func sheets(_ path: String) async throws -> [String: [[String?]]] {
        let read = try await Programs.run(TestDatabase.environment("TEST_PYTHON"), ["-c", Self.cells, path])
        try #require(read.status == 0, "\(read.errors)")
        return try JSONDecoder().decode([String: [[String?]]].self, from: Data(read.output.utf8))
    }

    @Test("The workbook and the lines contain all events that match, page after page, and say what they are")
    func whole() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            _ = try await service.run(["download", job.id])
            try await service.database.execute(
                "INSERT INTO adminexport.audit_event (at, event, tenant_key, tenant_slug, actor_email, reason, details) SELECT '2026-01-01 10:00:00.123456Z'::timestamptz + n * interval '1 second', 'denied', '2', 'globex', '=1+1', 'no-permission', '{\"count\": 2}' FROM generate_series(1, 1201) n"
            )
            let book = try await service.run(["audit", "-o", "trail.xlsx"])
            #expect(book.status == 0 && book.output == "trail.xlsx\n" && book.errors.contains("events"), "\(book)")
            let whole = try await sheets(service.folder + "/trail.xlsx")
            let rows = try #require(whole["Audit trail"])
            let count = try await service.database.text("SELECT count(*) FROM adminexport.audit_event")
            #expect("\(rows.count - 1)" == count && rows[0].count == 11)
            let oldest = try #require(rows.last)
            #expect(
                oldest == [
                    "2026-01-01 10:00:01", "denied", "globex", "=1+1", nil, nil, nil, nil, "no-permission", #"{"count":2}"#,
                    "2026-01-01T10:00:01.123Z",
                ])
            let downloaded = try #require(rows.first { $0[1] == "downloaded" })
            #expect(downloaded[4] == job.id && downloaded[5] == "\(getuid())")
            let about = try #require(whole["About this file"]).map { $0.compactMap(\.self).joined(separator: ": ") }
            #expect(
                about.contains { $0.hasPrefix("Tenant: All tenants") }
                    && about.contains(
                        "Number of events: \(count.map { Int($0) ?? 0 }.map { "\($0 / 1_000),\(String($0 % 1_000 + 1_000).dropFirst())" } ?? "")"
                    ), "\(about)")

            // A period of a tenant.
            let lines = try await service.run(
                [
                    "audit", "--tenant", "globex", "--from", "2026-01-01T10:10:00Z", "--before", "2026-01-01T10:20:00Z",
                    "--export", "t.ndjson",
                ])
            #expect(lines.status == 0 && lines.output == "t.ndjson\n", "\(lines)")
            let events = try String(contentsOfFile: service.folder + "/t.ndjson", encoding: .utf8).split(separator: "\n").map
            {
                try JSONDecoder().decode(AuditEvent.self, from: Data($0.utf8))
            }
            #expect(
                events.count == 600 && events.first?.at == "2026-01-01T10:19:59.123Z"
                    && events.last?.at == "2026-01-01T10:10:00.123Z")
            let ofJob = try await service.run(["audit", "--export", job.id, "-o", "job.jsonl"])
            #expect(ofJob.status == 0)
            let kinds = try String(contentsOfFile: service.folder + "/job.jsonl", encoding: .utf8)
            #expect(kinds.contains("downloaded") && !kinds.contains("globex"))
            let none = try await service.run(["audit", "--tenant", "nobody", "-o", "none.xlsx"])
            #expect(none.status == 0)
            #expect(try await sheets(service.folder + "/none.xlsx")["Audit trail"]?.count == 1)
        }
    }

    @Test("An existing file stays, a wrong ending and conditions that make no sense are refused before anything is read")
    func refused() async throws {
        try await ServiceProcess.with { service in
            for options in [
                ["-o", "trail.csv"], ["-o", "xlsx"], ["-o", "t.xlsx", "--limit", "5"], ["-o", "t.xlsx", "--json"],
                ["--force"],
                ["-o", "t.xlsx", "--export", "u.xlsx"], ["-o", "t.xlsx", "--verify"],
            ] {
                #expect(try await service.run(["audit"] + options).status == 64, "\(options)")
            }
            #expect(try await service.run(["audit", "-o", "t.ndjson"]).status == 0)
            let again = try await service.run(["audit", "-o", "t.ndjson"])
            #expect(again.status == 73 && again.errors.contains("--force"))
            #expect(try await service.run(["audit", "-o", "t.ndjson", "--force"]).status == 0)
            #expect(try await service.run(["audit", "-o", "/none/t.xlsx"]).status == 73)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: service.folder).filter { $0.hasPrefix("t.") } == [
                    "t.ndjson"
                ])
        }
    }
}
