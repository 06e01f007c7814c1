import Testing

@testable import XLSX
import XLSXTestSupport

/// Blocks that are compressed in parallel give the same file as one thread.
@Suite struct CompressionTests {
    private static let properties = WorkbookProperties(title: "t", creator: "c", application: "a", created: 0)

    /// Three sheets: one of many blocks, one with only its header, one of a single block.
    private func workbook(_ options: WorkbookOptions) throws -> [UInt8] {
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        var generator = Generator(seed: 7)
        for (sheet, rows) in [("Many", 40_000), ("None", 0), ("Few", 10)] {
            try writer.beginSheet(sheet, columns: [Column("Number"), Column("Often"), Column("Day", .date)])
            for row in 0..<rows {
                try writer.text("row \(row) \(generator.next())")
                try writer.text("one of \(generator.next() % 50)")
                try writer.date(daysSince1970: row % 20_000)
                try writer.endRow()
            }
        }
        _ = try writer.finish()
        return sink.bytes
    }

    @Test(
        "The bytes are the same for any number of threads, and in each run",
        arguments: [Compression.template, .automatic, .level(0), .level(1), .level(6), .level(9)])
    func threads(_ compression: Compression) throws {
        var options = WorkbookOptions()
        options.compression = compression
        options.compressionThreads = 1
        let expected = try workbook(options)
        for threads in [1, 2, 3, 8] {
            options.compressionThreads = threads
            #expect(try workbook(options) == expected, "\(threads) threads")
        }
    }

    @Test("Decompressed blocks equal the input, and compressors and levels change only the size")
    func content() throws {
        var options = WorkbookOptions()
        var parts: [[UInt8]] = []
        var sizes: [Int] = []
        for compression in [Compression.level(0), .level(1), .automatic, .level(6), .template] {
            options.compression = compression
            let bytes = try workbook(options)
            let zip = try ZipReader(bytes)
            // The reader checks sizes and CRC-32.
            parts.append(Array(try zip.text("xl/worksheets/sheet1.xml").utf8))
            sizes.append(bytes.count)
        }
        #expect(parts.allSatisfy { $0 == parts[0] })
        // More than the first MiB, so that the automatic choice uses both of its levels.
        #expect(parts[0].count > 4 * 1024 * 1024)
        #expect(sizes == sizes.sorted(by: >) && sizes[1] > sizes[3], "\(sizes)")
    }

    @Test("Decoders that share no code inflate the same bytes")
    func decoders() throws {
        let sink = MemorySink()
        var zip = try ZipWriter(sink: sink, compression: .template, threads: 2)
        let (buffer, hints) = (OutputBuffer(), CellHints())
        var generator = Generator(seed: 11)
        zip.beginEntry("blocks of each kind")
        for kind in [0, 1, 2, 0, 2, 1] {
            for at in 0..<150_000 {
                switch kind {
                case 0: buffer.append(UInt8(truncatingIfNeeded: generator.next()))
                case 1: buffer.append(UInt8(truncatingIfNeeded: at >> 13))
                default: buffer.append(UInt8(generator.next().trailingZeroBitCount))
                }
            }
            try zip.write(buffer, hints)
        }
        try zip.endEntry(buffer, hints)
        try zip.finish()
        for archive in [sink.bytes, try workbook(WorkbookOptions())] {
            #expect(try Readers.decoders(of: archive).contains("zlib"))
        }
    }

    @Test("A small workbook is nearly as small as with level 6")
    func small() throws {
        var options = WorkbookOptions()
        options.sharedStringsCapacity = 0
        let sizes = try [Compression.automatic, .level(6), .level(1), .template].map { compression in
            options.compression = compression
            let sink = MemorySink()
            let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
            try writer.beginSheet("S", columns: [Column("A")])
            var generator = Generator(seed: 9)
            for row in 0..<1_000 {
                try writer.text("administrator \(row), \(generator.next() % 100) of \(generator.next() % 1_000)")
                try writer.endRow()
            }
            _ = try writer.finish()
            return sink.bytes.count
        }
        #expect(sizes[0] == sizes[1] && sizes[1] < sizes[2])
        #expect(sizes[3] < sizes[1] * 105 / 100, "\(sizes)")
    }

    @Test(
        "No part is compressed so strongly that Apache POI takes it for an attack",
        arguments: [Compression.template, .automatic, .level(6), .level(9)])
    func shrinking(_ compression: Compression) throws {
        var options = WorkbookOptions()
        options.compression = compression
        options.cellReferences = false
        let sink = MemorySink()
        let writer = try WorkbookWriter(properties: Self.properties, options: options, to: sink)
        try writer.beginSheet("S", columns: [Column("A"), Column("B")])
        for row in 0..<18_000 {
            try writer.text("the same")
            try writer.text("one of many: \(row % 60)")
            try writer.endRow()
        }
        _ = try writer.finish()
        for entry in try ZipReader(sink.bytes).entries where entry.size > 100 * 1024 {
            #expect(Double(entry.compressedSize) / Double(entry.size) > 0.0125, "\(entry.name)")
        }
    }

    @Test("Blocks of any length, including empty first blocks, decompress to the input", arguments: [0, 1, 6, 9])
    func blocks(_ level: Int) throws {
        let sink = MemorySink()
        var zip = try ZipWriter(sink: sink, compression: .level(level), threads: 2)
        var generator = Generator(seed: 3)
        var expected: [UInt8] = []
        zip.beginEntry("part.xml")
        let buffer = OutputBuffer()
        for length in [0, 1, 0, 40_000, 5, 300_000, 32_768, 1_000_000, 0] {
            // Half of each block repeats.
            let block = (0..<length).map {
                $0 % 64 < 32 ? UInt8(truncatingIfNeeded: $0) : UInt8(generator.next() & 0xFF)
            }
            expected += block
            buffer.append(block.span)
            try zip.write(buffer)
        }
        #expect(try zip.endEntry(buffer) == UInt64(expected.count))
        try zip.finish()
        let found = try ZipReader(sink.bytes)
        #expect(try found.entries.map { try found.content($0) } == [expected])
    }
}
