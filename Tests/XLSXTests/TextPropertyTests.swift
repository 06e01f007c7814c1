import Testing

@testable import XLSX
import XLSXTestSupport

@Suite struct TextPropertyTests {
    private static let perSeed = 600

    private static func texts(_ seed: UInt64) -> [[UInt8]] {
        var nasty = NastyText(seed: seed)
        return (0..<perSeed).map { _ in nasty.next() }
    }

    /// A workbook of one column.
    private static func workbook(_ texts: [[UInt8]], options: WorkbookOptions) throws -> (
        bytes: [UInt8], summary: WorkbookSummary
    ) {
        let sink = MemorySink()
        let properties = WorkbookProperties(title: "t", creator: "c", application: "a", created: 0)
        let writer = try WorkbookWriter(properties: properties, options: options, to: sink)
        try writer.beginSheet("S", columns: [Column("Header")])
        for text in texts {
            try writer.text(text.span)
            try writer.endRow()
        }
        let summary = try writer.finish()
        return (sink.bytes, summary)
    }

    /// Compares the texts that a reader returns with the rules. A failure prints seed, number and text.
    private static func compare(
        _ reader: Readers, _ texts: [[UInt8]], _ bytes: [UInt8], _ origin: String
    ) async throws {
        let rows = try await reader.rows(of: bytes)
        try #require(rows.count == texts.count + 1)
        for (index, text) in texts.enumerated() {
            var expected = NastyText.expected(text)
            // calamine does not decode these two escapes, and takes their underscore for the first of the next escape.
            if reader == .calamine {
                if expected.contains(/[\u{FFFE}\u{FFFF}][xX][0-9A-Fa-f]{4}_/) { continue }
                expected = String(
                    expected.unicodeScalars.map {
                        $0.value | 1 == 0xFFFF ? $0 == "\u{FFFE}" ? "_xFFFE_" : "_xFFFF_" : String($0)
                    }
                    .joined())
            }
            // LibreOffice splits a paragraph of more than about 16,000 characters if the text has several paragraphs.
            if reader == .libreoffice, expected.utf16.count > 16_000, expected.contains("\n") { continue }
            let got = rows[index + 1].first ?? ""
            // Compares code points, because Swift's == treats canonically equivalent texts as equal.
            let isSame = got.unicodeScalars.elementsEqual(expected.unicodeScalars)
            #expect(isSame, "\(reader) \(origin) text \(index): \(NastyText.difference(got, expected))")
        }
    }

    @Test(
        "Every reader returns any inline text as the rules say",
        arguments: Readers.allCases.filter(\.isHere), [1, 2, 3] as [UInt64])
    func inline(_ reader: Readers, _ seed: UInt64) async throws {
        var options = WorkbookOptions()
        options.sharedStringsCapacity = 0
        let texts = Self.texts(seed)
        let result = try Self.workbook(texts, options: options)
        try await Self.compare(reader, texts, result.bytes, "seed \(seed)")
        let cut = texts.count { NastyText.expected($0).utf16.count < Self.folded($0) }
        #expect(result.summary.truncatedTexts == cut)
    }

    /// UTF-16 units of the whole text with its line ends folded.
    private static func folded(_ text: [UInt8]) -> Int {
        let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
        let returns = scalars.indices.count { $0 > 0 && scalars[$0] == "\n" && scalars[$0 - 1] == "\r" }
        return scalars.reduce(0) { $0 + UTF16.width($1) } - returns
    }

    @Test(
        "Readers return any text of the shared strings as the rules say",
        arguments: [Readers.calamine, .libreoffice].filter(\.isHere), [4, 5] as [UInt64])
    func shared(_ reader: Readers, _ seed: UInt64) async throws {
        let texts = Self.texts(seed)
        let result = try Self.workbook(texts, options: WorkbookOptions())
        #expect(try ZipReader(result.bytes).text("xl/worksheets/sheet1.xml").contains("t=\"s\""))
        try await Self.compare(reader, texts, result.bytes, "seed \(seed)")
    }

    @Test(
        "Bytes of any kind make a sheet of valid UTF-8, and replaced texts are counted", arguments: [6, 7] as [UInt64])
    func illFormed(_ seed: UInt64) async throws {
        var nasty = NastyText(seed: seed)
        var generator = Generator(seed: seed)
        let texts = (0..<Self.perSeed).map { _ in
            var text = nasty.next()
            for _ in 0..<3 {
                text[Int.random(in: 0..<text.count, using: &generator)] = UInt8.random(in: 1...255, using: &generator)
            }
            return text
        }
        var options = WorkbookOptions()
        options.sharedStringsCapacity = 0
        let result = try Self.workbook(texts, options: options)
        try await Self.compare(.calamine, texts, result.bytes, "seed \(seed)")
        // A text that is cut before its first invalid byte has no replacement. The few texts of this kind are left out.
        let short = texts.filter { $0.count < 30_000 }
        let replaced = short.count { String(validating: $0, as: UTF8.self) == nil }
        #expect(try Self.workbook(short, options: options).summary.replacedTexts == replaced)
        #expect(replaced > 100)
    }

    @Test(
        "A megabyte of text is cut and counted, and neighbouring cells stay complete",
        arguments: ["a", "é", "😀", "\r\n", "\u{1}", "_x0041_"])
    func megabyte(_ filler: String) async throws {
        let long = Array(String(repeating: filler, count: 1_048_576 / filler.utf8.count).utf8)
        let texts = [Array("before".utf8), long, Array("after".utf8)]
        let result = try Self.workbook(texts, options: WorkbookOptions())
        #expect(result.summary.truncatedTexts == 1)
        try await Self.compare(.calamine, texts, result.bytes, "megabyte")
    }
}
