import Testing

@testable import XLSX
import XLSXTestSupport

/// Compares the XML of the package and its parts with the requirements of ECMA-376 and Excel.
@Suite struct StructureTests {
    /// Two sheets of text and dates, as an archive.
    private static func workbook(_ sheets: [(name: String, rows: [[String]])] = [("First", [["a", "b"]]), ("Second", [])])
        throws
        -> ZipReader
    {
        let sink = MemorySink()
        let properties = WorkbookProperties(title: "T & <t>", creator: "c", application: "a", created: 1_761_300_000)
        let writer = try WorkbookWriter(properties: properties, to: sink)
        for sheet in sheets {
            try writer.beginSheet(sheet.name, columns: [Column("A & <A>"), Column("B"), Column("C", .date)])
            for row in sheet.rows {
                for cell in row { try writer.text(cell) }
                try writer.date(daysSince1970: 20_385)
                try writer.endRow()
            }
        }
        _ = try writer.finish()
        return try ZipReader(sink.bytes)
    }

    /// The names of the elements below the root, in order, without repetitions.
    private static func children(_ xml: String) -> [String] {
        var names: [String] = []
        var depth = 0
        for tag in xml.matches(of: /<(\/?)([A-Za-z:]+)[^>]*?(\/?)>/) {
            if !tag.1.isEmpty { depth -= 1; continue }
            if depth == 1, names.last != String(tag.2) { names.append(String(tag.2)) }
            if tag.3.isEmpty { depth += 1 }
        }
        return names
    }

    @Test("The elements of sheet, workbook and styles are in the order of the schema")
    func elementOrder() throws {
        let zip = try Self.workbook()
        for sheet in ["sheet1", "sheet2"] {
            #expect(
                try Self.children(zip.text("xl/worksheets/\(sheet).xml")) == [
                    "sheetPr", "sheetViews", "sheetFormatPr", "cols", "sheetData", "autoFilter", "pageMargins", "pageSetup",
                    "ignoredErrors",
                ])
        }
        #expect(try Self.children(zip.text("xl/workbook.xml")) == ["bookViews", "sheets", "definedNames"])
        #expect(
            try Self.children(zip.text("xl/styles.xml")) == [
                "numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles", "dxfs", "tableStyles",
            ])
    }

    @Test(
        "The styles have every table that Excel expects, its two reserved fills, and a separate format for dates")
    func styles() throws {
        let zip = try Self.workbook()
        let styles = try zip.text("xl/styles.xml")
        #expect(
            styles.contains(
                "<fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill><fill><patternFill patternType=\"gray125\"/></fill></fills>"
            ))
        #expect(styles.contains("<cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/>"))
        #expect(styles.contains("<numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\"/>"))
        let formats = try #require(styles.firstMatch(of: /<cellXfs count="(\d+)">(.*)<\/cellXfs>/))
        #expect(formats.2.ranges(of: "<xf ").count == Int(formats.1))
        // General, text, date, header. Text and header have the text format (49, "@"), so that a text that looks like a formula
        // remains a text when its cell is edited.
        #expect(formats.2.matches(of: /<xf numFmtId="(\d+)"/).map { String($0.1) } == ["0", "49", "164", "49"])
        let sheet = try zip.text("xl/worksheets/sheet1.xml")
        #expect(sheet.matches(of: /<col [^>]*style="(\d+)"/).map { String($0.1) } == ["1", "1", "2"])
        for style in sheet.matches(of: /<c [^>]*s="(\d+)"/) { #expect(Int(style.1) ?? .max < Int(formats.1) ?? 0) }
        #expect(sheet.contains("<c r=\"C2\" s=\"2\"><v>45954</v></c>"))
    }

    @Test("Every declared or related part exists, and every part has a content type")
    func parts() throws {
        let zip = try Self.workbook()
        let names = Set(zip.entries.map(\.name))
        let types = try zip.text("[Content_Types].xml")
        let overrides = types.matches(of: /PartName="\/([^"]+)"/).map { String($0.1) }
        #expect(names.isSuperset(of: overrides) && overrides.count == 5)
        let main = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
        #expect(types.contains("<Default Extension=\"xml\" ContentType=\"\(main)\"/>"))
        #expect(
            names.subtracting(overrides) == [
                "[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml",
                "xl/worksheets/sheet2.xml",
            ])
        for (relations, folder) in [("_rels/.rels", ""), ("xl/_rels/workbook.xml.rels", "xl/")] {
            let xml = try zip.text(relations)
            let targets = xml.matches(of: /Target="([^"]+)"/).map { folder + $0.1 }
            #expect(names.isSuperset(of: targets))
            #expect(Set(xml.matches(of: /Id="([^"]+)"/).map(\.1)).count == targets.count)
        }
    }

    @Test("A sheet has no dimension, a frozen header with the selection below it, and digits that stay text")
    func sheet() throws {
        let sheet = try Self.workbook([("S", [["00012", "12345678901234567890"]])]).text("xl/worksheets/sheet1.xml")
        #expect(!sheet.contains("<dimension"))
        #expect(
            sheet.contains(
                "<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/><selection pane=\"bottomLeft\" "
            ))
        #expect(sheet.contains("<ignoredError sqref=\"A1:C2\" numberStoredAsText=\"1\"/>"))
        #expect(sheet.ranges(of: "<v>").count == 6 && !sheet.contains("00012</v>"))
    }

    @Test("Empty texts make no cell in any position, and a row without cells is an empty row")
    func empty() throws {
        let sheet = try Self.workbook([("S", [["", "x"], ["", ""]])]).text("xl/worksheets/sheet1.xml")
        #expect(sheet.contains("<row r=\"2\"><c r=\"B2\" "))
        #expect(sheet.contains("<row r=\"3\"><c r=\"C3\" "))
        #expect(!sheet.contains("inlineStr"))
        let sink = MemorySink()
        let writer = try WorkbookWriter(
            properties: WorkbookProperties(title: "t", creator: "c", application: "a", created: 0), to: sink)
        try writer.beginSheet("S", columns: [Column("A")])
        try writer.endRow()
        _ = try writer.finish()
        #expect(try ZipReader(sink.bytes).text("xl/worksheets/sheet1.xml").contains("<row r=\"2\"></row></sheetData>"))
    }

    @Test(
        "References to sheet names double apostrophes and escape special characters, also before a combining mark")
    func quotedNames() throws {
        let book = try Self.workbook([("Bob's & <Co>", []), ("it'\u{301}s", [])]).text("xl/workbook.xml")
        #expect(book.contains("<sheet name=\"Bob's &amp; &lt;Co&gt;\""))
        #expect(book.contains(">'Bob''s &amp; &lt;Co&gt;'!$A$1:$C$1<"))
        #expect(book.contains(">'it''\u{301}s'!$1:$1<"))
    }

    @Test("Properties are escaped, and a time has the W3C format")
    func properties() throws {
        let core = try Self.workbook().text("docProps/core.xml")
        #expect(core.contains("<dc:title>T &amp; &lt;t&gt;</dc:title>"))
        #expect(core.contains("<dcterms:created xsi:type=\"dcterms:W3CDTF\">2025-10-24T10:00:00Z</dcterms:created>"))
        for (seconds, time) in [
            (-1, "1969-12-31T23:59:59Z"), (-86_400, "1969-12-31T00:00:00Z"), (86_399, "1970-01-01T23:59:59Z"),
        ] {
            #expect(CivilDate.iso8601(secondsSince1970: seconds) == time)
        }
    }
}
