import Synchronization
import Testing

@testable import XLSX
import XLSXTestSupport

@Suite struct WorkbookWriterTests {
    private static let properties = WorkbookProperties(
        title: "T & <t>", creator: "c", application: "a", created: 1_761_300_000)

    /// Writes a workbook of the rows, in memory.
    private func workbook(
        _ rows: [[String]], options: WorkbookOptions = WorkbookOptions(), columns: [Column]? = nil
    ) throws -> (bytes: [UInt8], summary: WorkbookSummary) {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        try writer.beginSheet("Sheet", columns: columns ?? [Column("A"), Column("B")])
        for row in rows {
            for cell in row { try writer.text(cell) }
            try writer.endRow()
        }
        let summary = try writer.finish()
        return (sink.bytes, summary)
    }

    @Test("Equal rows give equal bytes")
    func reproducible() throws {
        let rows = (0..<3_000).map { ["name \($0)", "group \($0 % 7)"] }
        #expect(try workbook(rows).bytes == workbook(rows).bytes)
    }

    @Test("The parts are in the order of one pass, content types first")
    func order() throws {
        let bytes = try workbook([["a", "b"]]).bytes
        #expect(bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]))
        let names = try ZipReader(bytes).entries.map(\.name)
        #expect(
            names == [
                "[Content_Types].xml", "_rels/.rels", "docProps/app.xml", "docProps/core.xml", "xl/styles.xml",
                "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels",
            ])
    }

    @Test("A small entry has its sizes in the local header, a large one in a data descriptor")
    func headers() throws {
        var generator = Generator(seed: 1)
        let rows = (0..<20_000).map { _ in ["\(generator.next())", "\(generator.next())"] }
        let zip = try ZipReader(workbook(rows).bytes)
        for entry in zip.entries {
            #expect(entry.hasDescriptor == (entry.name == "xl/worksheets/sheet1.xml"))
            #expect(try zip.content(entry).count == entry.size)
        }
    }

    @Test(
        "A full sheet is followed by another sheet that repeats the header",
        arguments: [(9, 1), (10, 2), (18, 2), (19, 3)])
    func rollOver(_ count: Int, _ sheets: Int) throws {
        var options = WorkbookOptions()
        options.rowsPerSheet = 10
        let result = try workbook((0..<count).map { ["\($0)", "x"] }, options: options)
        #expect(result.summary.rows == count)
        #expect(result.summary.sheets == sheets)
        let zip = try ZipReader(result.bytes)
        let book = try zip.text("xl/workbook.xml")
        for sheet in 1...sheets {
            #expect(try zip.text("xl/worksheets/sheet\(sheet).xml").contains("<row r=\"2\">"))
            #expect(book.contains(sheet == 1 ? "name=\"Sheet\"" : "name=\"Sheet (\(sheet))\""))
        }
        #expect(!zip.entries.contains { $0.name == "xl/worksheets/sheet\(sheets + 1).xml" })
    }

    @Test(
        "A new sheet begins before the XML of a sheet can exceed its limit, even with a row of the longest cells",
        arguments: ["x", "\u{1}", "&"])
    func rollOverByBytes(_ filler: String) throws {
        var options = WorkbookOptions()
        options.bytesPerSheet = 1_000_000
        options.sharedStringsCapacity = 0
        let long = String(repeating: filler, count: 32_767)
        let rows = (0..<400).map { $0 % 50 == 7 ? [long, long] : ["\($0)", String(repeating: filler, count: $0 * 10)] }
        let result = try workbook(rows, options: options)
        #expect(result.summary.sheets >= 3 && result.summary.rows == 400 && result.summary.truncatedTexts == 0)
        let zip = try ZipReader(result.bytes)
        for entry in zip.entries { #expect(entry.size <= 1_000_000) }
        let found = try (1...result.summary.sheets).reduce(0) { sum, sheet in
            try sum + zip.text("xl/worksheets/sheet\(sheet).xml").ranges(of: "<row ").count - 1
        }
        #expect(found == 400)
    }

    @Test("The rows that are buffered to determine column widths are limited in bytes")
    func sampleBound() throws {
        final class FirstWrite: ByteSink {
            var bytes = 0
            func write(_ bytes: RawSpan) { self.bytes += bytes.byteCount }
        }
        var options = WorkbookOptions()
        options.rowsForWidths = .max
        let sink = FirstWrite()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        try writer.beginSheet("S", columns: (0..<400).map { Column("\($0)", .date) })
        let before = sink.bytes
        for _ in 0..<4_000 {
            for day in 0..<400 { try writer.date(daysSince1970: day * 37) }
            try writer.endRow()
        }
        #expect(sink.bytes > before + 1_000_000)
    }

    @Test("A compression level that zlib does not have is refused", arguments: [-1, 10])
    func levels(_ level: Int) throws {
        var options = WorkbookOptions()
        options.compression = .level(level)
        let error = #expect(throws: XLSXError.self) { try workbook([["a"]], options: options) }
        #expect(error?.code == .compression)
    }

    @Test("A sheet whose limit is smaller than a row takes one row")
    func smallestSheets() throws {
        var options = WorkbookOptions()
        options.bytesPerSheet = 1
        let result = try workbook((0..<5).map { ["\($0)"] }, options: options)
        #expect(result.summary.sheets == 5 && result.summary.rows == 5)
    }

    @Test("A continued sheet skips a name that exists already, whatever its case")
    func continuedNames() throws {
        var options = WorkbookOptions()
        options.rowsPerSheet = 2
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        try writer.beginSheet("DATA (2)", columns: [Column("A")])
        try writer.beginSheet("Data", columns: [Column("A")])
        for _ in 0..<2 {
            try writer.text("x")
            try writer.endRow()
        }
        let error = #expect(throws: XLSXError.self) { try writer.beginSheet("data (3)", columns: [Column("A")]) }
        #expect(error?.code == .invalidSheetName)
        _ = try writer.finish()
        let book = try ZipReader(sink.bytes).text("xl/workbook.xml")
        #expect(book.contains("name=\"Data (3)\"") && !book.contains("\"Data (2)\""))
    }

    @Test("A column with repeated texts uses shared strings, and a column without repetitions uses inline strings")
    func sharedStrings() throws {
        let rows = (0..<10_000).map { ["unique \($0)", "group \($0 % 5)"] }
        let sheet = try ZipReader(workbook(rows).bytes).text("xl/worksheets/sheet1.xml")
        #expect(sheet.contains("<c r=\"A10001\" s=\"1\" t=\"inlineStr\"><is><t>unique 9999</t></is></c>"))
        #expect(sheet.contains("<c r=\"B10001\" s=\"1\" t=\"s\">"))
        var none = WorkbookOptions()
        none.sharedStringsCapacity = 0
        #expect(try !ZipReader(workbook(rows, options: none).bytes).text("xl/worksheets/sheet1.xml").contains("t=\"s\""))
    }

    @Test("No text is written as a formula, and text columns have the text format")
    func formulas() throws {
        let sheet = try ZipReader(workbook([["=1+1", "@x"], ["+1", "-1"]]).bytes).text("xl/worksheets/sheet1.xml")
        #expect(!sheet.contains("<f"))
        #expect(sheet.contains("<c r=\"A2\" s=\"1\""))
        #expect(sheet.contains("min=\"1\" max=\"1\""))
    }

    @Test(
        "Days from 1900-03-01 on become serial numbers; days outside Excel's calendar become text",
        arguments: [
            (-25_508, "<c r=\"A2\" s=\"2\"><v>61</v></c>"), (0, "<c r=\"A2\" s=\"2\"><v>25569</v></c>"),
            (2_932_896, "<c r=\"A2\" s=\"2\"><v>2958465</v></c>"), (-25_509, "1900-02-28"), (2_932_897, "10000-01-01"),
            (-719_529, "-0001-12-31"),
        ])
    func dates(_ days: Int, _ expected: String) throws {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, to: sink)
        try writer.beginSheet("S", columns: [Column("D", .date)])
        try writer.date(daysSince1970: days)
        try writer.endRow()
        _ = try writer.finish()
        let zip = try ZipReader(sink.bytes)
        #expect(try (zip.text("xl/worksheets/sheet1.xml") + zip.text("xl/sharedStrings.xml")).contains(expected))
    }

    @Test(
        "The writer stores a date with a time as a serial number from which the second can be read back; outside Excel's calendar, it stores text",
        arguments: [
            (0, "<c r=\"A2\" s=\"4\"><v>25569</v></c>"), (43_200, "<c r=\"A2\" s=\"4\"><v>25569.5</v></c>"),
            (1, "<c r=\"A2\" s=\"4\"><v>25569.0000115741</v></c>"), (-1, "<c r=\"A2\" s=\"4\"><v>25568.999988426</v></c>"),
            (864, "<c r=\"A2\" s=\"4\"><v>25569.01</v></c>"), (-2_203_891_201, "1900-02-28 23:59:59"),
            (-2_203_891_200, "<c r=\"A2\" s=\"4\"><v>61</v></c>"), (253_402_300_800, "10000-01-01 00:00:00"),
        ])
    func times(_ seconds: Int, _ expected: String) throws {
        #expect(
            try text(of: extended([Column("T", .dateTime)]) { try $0.dateTime(secondsSince1970: seconds) }).contains(
                expected))
    }

    @Test("Every second of a day can be read back from the fraction of its cell")
    func fractions() throws {
        let sheet = try text(
            of: extended([Column("T", .dateTime)]) { writer in
                for second in 0..<86_400 {
                    try writer.dateTime(secondsSince1970: second)
                    if second < 86_399 { try writer.endRow() }
                }
            })
        let serials = sheet.matches(of: /s="4"><v>([0-9.]+)<\/v>/).map { Double($0.1) ?? 0 }
        #expect(serials.count == 86_400)
        // Readers convert to milliseconds and round; others convert to microseconds, round, and cut off the fraction of a second.
        let wrong = serials.indices.filter { second in
            let days = serials[second] - 25_569
            return Int((days * 86_400_000).rounded()) != second * 1_000
                || Int((days * 86_400_000_000).rounded()) / 1_000_000 != second
        }
        #expect(wrong.prefix(3).isEmpty)
    }

    @Test(
        "Booleans are cells of the type b; labelled rows wrap and state their height; a page has neither filter nor frozen rows"
    )
    func booleansAndPages() throws {
        let bytes = try extended([Column("A", .boolean), Column("B", .boolean)], layout: .page) { writer in
            try writer.labelledRow("Label", "=1+1 <&>")
            try writer.labelledRow("", String(repeating: "word ", count: 20) + "\nnext")
            #expect(throws: XLSXError.self) {
                try writer.empty()
                try writer.labelledRow("within", "a row")
            }
            try writer.endRow()
            try writer.boolean(true)
            try writer.boolean(false)
        }
        let zip = try ZipReader(bytes)
        let sheet = try zip.text("xl/worksheets/sheet1.xml")
        #expect(
            sheet.contains(
                "<row r=\"2\"><c r=\"A2\" s=\"6\" t=\"inlineStr\"><is><t>Label</t></is></c>"
                    + "<c r=\"B2\" s=\"7\" t=\"inlineStr\"><is><t>=1+1 &lt;&amp;&gt;</t></is></c></row><row r=\"3\" ht=\"45\"><c r=\"B3\""
            ))
        #expect(sheet.contains("<c r=\"A5\" s=\"5\" t=\"b\"><v>1</v></c><c r=\"B5\" s=\"5\" t=\"b\"><v>0</v></c>"))
        #expect(!sheet.contains("autoFilter") && !sheet.contains("<pane") && sheet.contains("orientation=\"portrait\""))
        #expect(try !zip.text("xl/workbook.xml").contains("_FilterDatabase"))
    }

    @Test(
        "Without the option extendedFormats, times, booleans and labelled rows are refused, and the styles have four formats"
    )
    func withoutExtendedFormats() throws {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, to: sink)
        for kind in [Column.Kind.dateTime, .boolean] {
            let error = #expect(throws: XLSXError.self) { try writer.beginSheet("S", columns: [Column("T", kind)]) }
            #expect(error?.code == .invalidColumns)
        }
        try writer.beginSheet("S", columns: [Column("T"), Column("U")])
        for write in [
            { try writer.dateTime(secondsSince1970: 0) }, { try writer.boolean(true) }, { try writer.labelledRow("x", "y") },
        ] {
            let error = #expect(throws: XLSXError.self) { try write() }
            #expect(error?.code == .unexpectedCell)
        }
        _ = try writer.finish()
        #expect(try ZipReader(sink.bytes).text("xl/styles.xml").contains("<cellXfs count=\"4\">"))
    }

    /// A workbook with one sheet, whose last row the body leaves open.
    private func extended(
        _ columns: [Column], layout: SheetLayout = .table, _ body: (WorkbookWriter) throws -> Void
    ) throws -> [UInt8] {
        var options = WorkbookOptions()
        options.extendedFormats = true
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        try writer.beginSheet("S", columns: columns, layout: layout)
        try body(writer)
        try writer.endRow()
        _ = try writer.finish()
        return sink.bytes
    }

    private func text(of bytes: [UInt8]) throws -> String {
        let zip = try ZipReader(bytes)
        return try zip.text("xl/worksheets/sheet1.xml") + zip.text("xl/sharedStrings.xml")
    }

    @Test("A date that is not a day, and a day that Excel does not support, are written as text and counted")
    func datesAsText() throws {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, to: sink)
        try writer.beginSheet("S", columns: [Column("D", .date), Column("E", .date)])
        try writer.date(text: "infinity")
        try writer.date(daysSince1970: -25_509)
        try writer.endRow()
        #expect(throws: XLSXError.self) { try writer.date(daysSince1970: .max) }
        #expect(throws: XLSXError.self) { try writer.date(daysSince1970: 2_200_000_001) }
        #expect(try writer.finish().datesAsText == 2)
        let zip = try ZipReader(sink.bytes)
        let sheet = try zip.text("xl/worksheets/sheet1.xml")
        #expect(sheet.contains("<c r=\"A2\" s=\"1\" t=\"s\"><v>2</v></c><c r=\"B2\" s=\"1\""))
        #expect(try zip.text("xl/sharedStrings.xml").contains("<si><t>infinity</t></si><si><t>1900-02-28</t></si>"))
    }

    @Test("Cut texts and replaced texts are counted")
    func counts() throws {
        let long = String(repeating: "a", count: 40_000)
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, to: sink)
        try writer.beginSheet("S", columns: [Column("A"), Column("B")])
        for _ in 0..<3 {
            try writer.text(long)
            try writer.text(([0x61, 0xFF] as [UInt8]).span)
            try writer.endRow()
        }
        let summary = try writer.finish()
        #expect(summary.truncatedTexts == 3)
        #expect(summary.replacedTexts == 3)
    }

    @Test(
        "A sheet name that Excel does not accept is refused",
        arguments: [
            "", " ", "a/b", "a\\b", "[a", "a:b", "a?", "a*", "'a", "a'", "History", "hiSTORY",
            String(repeating: "a", count: 32), String(repeating: "😀", count: 16), "'\u{301}a", "a\u{FFFE}", "a\u{1}",
            "_x0041_", "_x0041_\u{301}",
        ])
    func sheetNames(_ name: String) throws {
        let writer = try WorkbookWriter(properties: Self.properties, to: MemorySink())
        let error = #expect(throws: XLSXError.self) { try writer.beginSheet(name, columns: [Column("A")]) }
        #expect(error?.code == .invalidSheetName)
    }

    @Test("A cell beyond the last column and a cell before the first sheet are refused")
    func misuse() throws {
        let writer = try WorkbookWriter(properties: Self.properties, to: MemorySink())
        #expect(throws: XLSXError.self) { try writer.text("a") }
        #expect(throws: XLSXError.self) { _ = try writer.finish() }
        try writer.beginSheet("S", columns: [Column("A")])
        try writer.text("a")
        #expect(throws: XLSXError.self) { try writer.text("b") }
    }

    private struct Injected: Error {}

    /// Writes rows that do not compress, through a sink and a compressor that may fail.
    private func write(
        to sink: any ByteSink, threads: Int = 1, _ makeDeflater: @escaping () throws -> any Deflater = { try ZlibDeflater() }
    ) throws -> WorkbookWriter {
        let zip = try ZipWriter(sink: sink, threads: threads, makeDeflater)
        let writer = try WorkbookWriter(properties: Self.properties, options: WorkbookOptions(), zip: zip)
        do {
            try writer.beginSheet("S", columns: [Column("A")])
            var generator = Generator(seed: 2)
            for _ in 0..<20_000 {
                try writer.text("\(generator.next())")
                try writer.endRow()
            }
            _ = try writer.finish()
        } catch {
            // After a failure, every call fails, so that no file looks complete.
            #expect(throws: XLSXError.self) { try writer.text("a") }
            #expect(throws: XLSXError.self) { try writer.beginSheet("T", columns: [Column("A")]) }
            #expect(throws: XLSXError.self) { _ = try writer.finish() }
            throw error
        }
        return writer
    }

    @Test(
        "An error of any write to the sink is rethrown unchanged, and the archive gets no end record", arguments: [1, 3])
    func failingSink(_ threads: Int) throws {
        final class FailingSink: ByteSink {
            var left: Int
            var hasEnd = false
            init(_ left: Int) { self.left = left }
            func write(_ bytes: RawSpan) throws {
                left -= 1
                guard left >= 0 else { throw Injected() }
                hasEnd = hasEnd || bytes.withUnsafeBytes { Array($0) }.firstRange(of: [0x50, 0x4B, 0x05, 0x06]) != nil
            }
        }
        for writes in 0..<200 {
            let sink = FailingSink(writes)
            do {
                _ = try write(to: sink, threads: threads)
                #expect(writes > 20 && sink.hasEnd)
                return
            } catch is Injected {
                #expect(!sink.hasEnd)
            }
        }
        Issue.record("the writer did not finish within 200 calls")
    }

    /// A compressor that fails after a number of blocks, counted over all threads.
    private final class FailingDeflater: Deflater {
        private let zlib: ZlibDeflater
        private let left: Atomic

        /// A number that all deflaters of a workbook count down.
        final class Atomic: Sendable {
            private let value: Mutex<Int>
            init(_ value: Int) { self.value = Mutex(value) }
            func countDown() -> Int {
                value.withLock { value in
                    value -= 1
                    return value
                }
            }
        }

        init(_ left: Atomic) throws {
            zlib = try ZlibDeflater()
            self.left = left
        }

        func deflate(_ bytes: Span<UInt8>, window: Int, level: Int, isLast: Bool, into output: OutputBuffer) throws {
            guard left.countDown() >= 0 else { throw Injected() }
            try zlib.deflate(bytes, window: window, level: level, isLast: isLast, into: output)
        }
    }

    @Test(
        "An error of the compressor in any block is rethrown unchanged, and the archive gets no end record",
        arguments: [1, 3])
    func failingDeflater(_ threads: Int) throws {
        for calls in 0..<200 {
            let sink = MemorySink()
            let left = FailingDeflater.Atomic(calls)
            do {
                _ = try write(to: sink, threads: threads) { try FailingDeflater(left) }
                // Five small parts before the sheet, which takes four blocks, and three after it.
                #expect(calls >= 12)
                return
            } catch is Injected {
                #expect(sink.bytes.firstRange(of: [0x50, 0x4B, 0x05, 0x06]) == nil)
            }
        }
        Issue.record("the writer did not finish within 200 calls")
    }

    @Test("An archive that reaches 4 GiB uses ZIP64 records only in its central directory")
    func zip64() throws {
        let sink = MemorySink()
        var zip = try ZipWriter(sink: sink, offset: 0xFFFF_FFF0)
        try zip.add("first", "a")
        try zip.add("second", "b")
        try zip.finish()
        let bytes = sink.bytes
        #expect(bytes.firstRange(of: [0x50, 0x4B, 0x06, 0x06]) != nil)
        #expect(bytes.firstRange(of: [0x50, 0x4B, 0x06, 0x07]) != nil)
        // Version needed to extract: 2.0 for the entry below the limit, 4.5 for the one above it and for the end record.
        let central = bytes.ranges(of: [0x50, 0x4B, 0x01, 0x02]).map { bytes[$0.lowerBound + 6] }
        #expect(central == [20, 45])
        #expect(bytes.firstRange(of: [0x50, 0x4B, 0x06, 0x06]).map { bytes[$0.lowerBound + 14] } == 45)
        // The first entry begins below the limit and has no extra field; the second has the 8-byte offset.
        let extra = bytes.ranges(of: [0x01, 0x00, 0x08, 0x00])
        #expect(extra.count == 1)
    }
}
