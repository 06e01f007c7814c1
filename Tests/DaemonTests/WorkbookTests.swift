import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// The content of workbooks that the whole service makes.
@Suite(.timeLimit(.minutes(10)), .serialized) struct WorkbookTests {
    /// Prints sheets with their rows as JSON: `[[name, [[cell, …], …]], …]`.
    private static let sheets = """
        import json, sys
        import openpyxl
        book = openpyxl.load_workbook(sys.argv[1])
        text = lambda value: str(value.date()) if hasattr(value, "date") else value
        print(json.dumps([[sheet.title, [[text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]]
                          for sheet in book]))
        """

    private struct Sheet: Decodable, Equatable {
        let name: String
        let rows: [[String?]]

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            name = try container.decode(String.self)
            rows = try container.decode([[String?]].self)
        }
    }

    /// Exports with the command-line program and reads what it wrote.
    private func sheets(_ service: ServiceProcess, _ arguments: [String], as actor: ActorName = ServiceProcess.owner)
        async throws
        -> [Sheet]
    {
        let run = try await service.run(["run", "-q", "--force", "-o", "out.xlsx"] + arguments, as: actor)
        try #require(run.status == 0, "\(run.errors)")
        let read = try await Programs.run(
            TestDatabase.environment("TEST_PYTHON"), ["-c", Self.sheets, service.folder + "/out.xlsx"])
        try #require(read.status == 0, "\(read.errors)")
        return try JSONDecoder().decode([Sheet].self, from: Data(read.output.utf8))
    }

    /// One part of the workbook that was written last.
    private func part(_ service: ServiceProcess, _ name: String) async throws -> String {
        let script = "import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())"
        return try await Programs.run(
            TestDatabase.environment("TEST_PYTHON"), ["-c", script, service.folder + "/out.xlsx", name]
        ).output
    }

    @Test(
        "On request, three sheets list the profiles, groups and teams that the actor may see; the first sheet does not change"
    )
    func references() async throws {
        try await ServiceProcess.with { service in
            let plain = try await sheets(service, [])
            #expect(plain.map(\.name) == ["Administrators"])
            let all = try await sheets(service, ["--include-references"])
            #expect(all.map(\.name) == ["Administrators", "Profiles", "Groups", "Teams"])
            #expect(all[0] == plain[0])
            #expect(all[1].rows == [["Name"], ["Help Desk"], ["Regional Manager"], ["Super Administrator"]])
            #expect(
                all[2].rows == [
                    ["Name", "Path"], ["Asia", "Asia"], ["Europe", "Europe"], ["France", "Europe / France"],
                    ["Paris, \"City\"", "Europe / France / \"Paris, \"\"City\"\"\""],
                ])
            #expect(all[3].rows == [["Name"], ["EMEA"], ["Support"]])
            let scoped = try await sheets(service, ["--include-references"], as: ServiceProcess.europe)
            #expect(scoped[2].rows.map { $0[0] } == ["Name", "Europe", "France", "Paris, \"City\""])
            let jobs = try await service.client().call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs
            #expect(
                jobs.map(\.includeReferences) == [true, false] && jobs.map(\.sheets) == [4, 1] && jobs.map(\.rows) == [6, 6])
        }
    }

    @Test(
        "On request, the last sheet states what the export is; it does not change the others, and its default comes from the configuration"
    )
    func about() async throws {
        let sql = """
            \(SmallTenant.sql); UPDATE directory.tenant SET name = E'Acme \u{1F600} & <Söhne>' WHERE id = 1;
            UPDATE directory.administrator SET created_at = '1899-01-01' WHERE id = 5
            """
        try await ServiceProcess.with(environment: ["ADMINEXPORT_SCOPE_OTHER_GROUPS": "hide"], sql: sql) { service in
            let plain = try await sheets(service, ["--include-references", "--no-include-about"])
            let all = try await sheets(service, ["--include-references", "--include-about", "--include-disabled"])
            #expect(all.map(\.name) == ["Administrators", "Profiles", "Groups", "Teams", "About this export"])
            #expect(Array(all[1...3]) == Array(plain[1...3]))
            let job = try #require(
                try await service.client().call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.first)
            #expect(job.includeAbout == true && job.sheets == 5 && job.rows == 8)
            func facts(_ sheet: Sheet) -> [String: String] {
                Dictionary(sheet.rows.dropFirst().map { ($0[0] ?? "", $0[1] ?? "") }) { first, _ in first }
            }
            let owner = facts(all[4])
            #expect(all[4].rows.first == ["About this export", nil])
            #expect(owner["Tenant"] == "Acme \u{1F600} & <Söhne> (acme)" && owner["Requested by"] == "owner@acme.example")
            #expect(owner["Accounts"] == "Enabled and disabled accounts" && owner["Scope"] == "All accounts of the tenant")
            #expect(owner["Export"] == job.id && owner["Rows"]?.hasPrefix("8. ") == true)
            #expect(owner["Warning"]?.hasPrefix("date-as-text, 1: ") == true)
            #expect(owner["Column \"Main group\""]?.contains("directory.administrator_group.name") == true)
            #expect(all[0].rows[0].allSatisfy { title in owner["Column \"\(title ?? "")\""] != nil })
            for label in ["Requested at", "Data as of"] {
                #expect(
                    owner[label]?.firstMatch(of: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0[12]:00 \(Europe\/Paris\)/) != nil,
                    "\(owner[label] ?? "")")
            }
            let europe = facts(try #require(try await sheets(service, ["--include-about"], as: ServiceProcess.europe).last))
            #expect(europe["Scope"]?.contains(": Europe. The rows do not name") == true)
            #expect(europe["Warning"]?.hasPrefix("date-as-text, 1: ") == true)
        }
        try await ServiceProcess.with(environment: ["ADMINEXPORT_WORKBOOK_ABOUT": "true"]) { service in
            let client = try service.client()
            #expect(try await client.call(ServiceInfo.self, NoMembers()).includeAbout == true)
            // The key is bound to what the caller sent: the default may change before the caller sends it again.
            let keyed = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner, idempotencyKey: "k")).job
            #expect(keyed.includeAbout == true)
            #expect(
                try await service.database.text(
                    """
                    SELECT idempotency_hash = sha256('{"includeDisabled":false,"includeReferences":false}')
                    FROM adminexport.job WHERE idempotency_key = 'k'
                    """) == "true")
            #expect(try await sheets(service, []).map(\.name) == ["Administrators", "About this export"])
            #expect(try await sheets(service, ["--no-include-about"]).map(\.name) == ["Administrators"])
            let europe = try #require(try await sheets(service, [], as: ServiceProcess.europe).last)
            #expect(
                europe.rows.contains {
                    $0[0] == "Scope" && $0[1]?.hasSuffix("The rows also name other groups of these accounts.") == true
                })
            #expect(europe.rows.contains { $0[0] == "Warnings" && $0[1]?.hasPrefix("None") == true })
        }
    }

    @Test("A tenant with nothing to list gets sheets with a header")
    func empty() async throws {
        let sql = """
            \(SmallTenant.sql);
            DELETE FROM directory.administrator_team; DELETE FROM directory.team;
            UPDATE directory.administrator SET main_group_id = NULL WHERE id = 2
            """
        try await ServiceProcess.with(sql: sql) { service in
            let sheets = try await sheets(service, ["--include-references"], as: ServiceProcess.europe)
            #expect(sheets.map { $0.rows.count } == [1, 4, 1, 1] && sheets[0].rows[0].first == "Name")
            #expect(try await part(service, "xl/worksheets/sheet1.xml").contains("<autoFilter ref=\"A1:J1\"/>"))
        }
    }

    /// The manifest of the archive: the JSON in its skippable frame.
    private func manifest(_ service: ServiceProcess) async throws -> [String: Any] {
        let path = try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.zst"]).output
        let bytes = Array(try Data(contentsOf: URL(filePath: path.trimmingCharacters(in: .newlines))))
        let start = try #require(bytes.ranges(of: [0x5D, 0x2A, 0x4D, 0x18]).last).upperBound
        let length = bytes[start..<(start + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
        let json = try JSONSerialization.jsonObject(with: Data(bytes[(start + 4)..<(start + 4 + length)]))
        return try #require(json as? [String: Any])
    }

    @Test("Job, command line and archive report cut texts, replaced texts and dates as text, also for SQL_ASCII")
    func warnings() async throws {
        let sql = """
            \(SmallTenant.sql);
            UPDATE directory.administrator SET name = repeat('x', 32768) WHERE id = 1;
            UPDATE directory.administrator SET name = repeat(E'\\r\\n', 32767), phone = E'\\xff\\xfe' WHERE id = 2;
            UPDATE directory.administrator SET created_at = 'infinity', updated_at = '1899-12-31' WHERE id = 3;
            UPDATE directory.administrator SET main_group_id = 5 WHERE id = 5
            """
        try await ServiceProcess.with(sql: sql, encoding: "SQL_ASCII") { service in
            let run = try await service.run(["run", "-q", "-o", "out.xlsx"])
            #expect(run.status == 0, "\(run.errors)")
            #expect(
                run.errors.split(separator: "\n") == [
                    "adminexport: warning: 1 text was cut: a cell holds at most 32,767 UTF-16 units",
                    "adminexport: warning: 1 text had invalid characters, which became U+FFFD",
                    "adminexport: warning: 2 dates are outside Excel's calendar (1900-03-01 to 9999-12-31) and written as text",
                    "adminexport: warning: 1 reference points to a profile, group or team that the tenant does not have",
                ])
            let expected = [
                Job.Warning(kind: "text-truncated", count: 1), Job.Warning(kind: "text-replaced", count: 1),
                Job.Warning(kind: "date-as-text", count: 2), Job.Warning(kind: "unresolved-reference", count: 1),
            ]
            let job = try #require(
                try await service.client().call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.first)
            #expect(job.warnings == expected)
            let told = try await manifest(service)["warnings"] as? [[String: Any]]
            #expect(told?.map { $0["kind"] as? String } == expected.map(\.kind))
            #expect(told?.map { $0["count"] as? Int } == expected.map(\.count))
            let strings = try await part(service, "xl/sharedStrings.xml") + part(service, "xl/worksheets/sheet1.xml")
            #expect(strings.contains("<t>infinity</t>") && strings.contains("<t>1899-12-31</t>"))
            #expect(strings.contains("\u{FFFD}\u{FFFD}"))
        }
    }

    @Test("A time zone that PostgreSQL does not know fails the export with the zone's name and leaves no file")
    func timeZone() async throws {
        try await ServiceProcess.with(sql: SmallTenant.sql + "; UPDATE directory.tenant SET time_zone = 'Mars/Base'") {
            service in
            let run = try await service.run(["run", "-q"])
            #expect(run.status == 1 && run.errors.contains("\"Mars/Base\"") && run.errors.contains("(unknown-time-zone)"))
            #expect(try await Programs.run("/usr/bin/env", ["find", service.archives, "-name", "*.xlsx*"]).output.isEmpty)
        }
    }

    @Test("Cells without references contain the same values, and an empty cell before other cells is written")
    func cellReferences() async throws {
        var plain: [Sheet] = []
        try await ServiceProcess.with { service in
            plain = try await sheets(service, ["--include-disabled"])
            #expect(try await part(service, "xl/worksheets/sheet1.xml").contains("<row r=\"1\"><c r=\"A1\""))
        }
        let settings = ["ADMINEXPORT_WORKBOOK_CELL_REFERENCES": "false", "ADMINEXPORT_WORKBOOK_COMPRESSION_LEVEL": "9"]
        try await ServiceProcess.with(environment: settings) { service in
            #expect(try await sheets(service, ["--include-disabled"]) == plain)
            let xml = try await part(service, "xl/worksheets/sheet1.xml")
            #expect(!xml.contains(" r=") && xml.contains("<row><c ") && xml.contains("<c/>"))
        }
    }

    @Test("The document contains its title, creator and time, and prints in landscape with its header on each page")
    func properties() async throws {
        try await ServiceProcess.with { service in
            _ = try await sheets(service, [])
            let core = try await part(service, "docProps/core.xml")
            #expect(core.contains("<dc:title>Administrators of acme</dc:title>"))
            #expect(core.contains(/<dc:creator>adminexport \d+\.\d+\.\d+<\/dc:creator>/))
            #expect(core.contains(/<dcterms:created xsi:type="dcterms:W3CDTF">\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ</))
            #expect(try await part(service, "docProps/app.xml").contains(/<AppVersion>\d+\.\d+<\/AppVersion>/))
            let sheet = try await part(service, "xl/worksheets/sheet1.xml")
            #expect(sheet.contains("<pageSetUpPr fitToPage=\"1\"/>"))
            #expect(sheet.contains("<pageSetup orientation=\"landscape\" fitToHeight=\"0\"/>"))
            #expect(
                try await part(service, "xl/workbook.xml").contains(
                    "_xlnm.Print_Titles\" localSheetId=\"0\">'Administrators'!$1:$1<"))
        }
    }
}
