import Testing

@testable import XLSX
import XLSXTestSupport

// Excel's real limits, not injected ones. One narrow column is enough, because the limits are about rows.
@Suite struct SheetSizeTests {
    private static let properties = WorkbookProperties(title: "t", creator: "c", application: "a", created: 0)

    private static func workbook(rows: Int) throws -> (bytes: [UInt8], summary: WorkbookSummary) {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: properties, to: sink)
        try writer.beginSheet("Administrators", columns: [Column("Name")])
        let text = Array("x".utf8)
        for _ in 0..<rows {
            try writer.text(text.span)
            try writer.endRow()
        }
        let summary = try writer.finish()
        return (sink.bytes, summary)
    }

    @Test(
        "A workbook of any number of rows has the necessary sheets, each with header, filter and names; two runs are equal",
        arguments: [
            (0, [1]), (1, [2]), (1_048_574, [1_048_575]), (1_048_575, [1_048_576]), (1_048_576, [1_048_576, 2]),
            (2_200_000, [1_048_576, 1_048_576, 102_851]),
        ])
    func sizes(_ rows: Int, _ lastRows: [Int]) throws {
        let result = try Self.workbook(rows: rows)
        #expect(result.summary.rows == rows && result.summary.sheets == lastRows.count)
        #expect(try Self.workbook(rows: rows).bytes == result.bytes)
        let zip = try ZipReader(result.bytes)
        let book = try zip.text("xl/workbook.xml")
        let header = "<sheetData><row r=\"1\"><c r=\"A1\" s=\"3\" t=\"s\"><v>0</v></c></row>"
        for (index, last) in lastRows.enumerated() {
            let name = index == 0 ? "Administrators" : "Administrators (\(index + 1))"
            let entry = try #require(zip.entries.first { $0.name == "xl/worksheets/sheet\(index + 1).xml" })
            let content = try zip.content(entry)
            #expect(String(decoding: content.prefix(2_000), as: UTF8.self).contains(header))
            let tail = String(decoding: content.suffix(700), as: UTF8.self)
            #expect(tail.contains("<row r=\"\(last)\">") && !tail.contains("<row r=\"\(last + 1)\">"))
            #expect(tail.contains("<autoFilter ref=\"A1:A\(last)\"/>"))
            #expect(book.contains("<sheet name=\"\(name)\" sheetId=\"\(index + 1)\""))
            let scope = "localSheetId=\"\(index)\""
            #expect(book.contains("\(scope) hidden=\"1\">'\(name)'!$A$1:$A$\(last)</definedName>"))
            #expect(book.contains("\"_xlnm.Print_Titles\" \(scope)>'\(name)'!$1:$1</definedName>"))
        }
        #expect(zip.entries.count { $0.name.hasPrefix("xl/worksheets/") } == lastRows.count)
    }
}
