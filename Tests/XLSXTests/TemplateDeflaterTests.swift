import Testing

@testable import XLSX
import XLSXTestSupport

/// Whatever the bytes and the hints are, zlib inflates the output to the bytes.
@Suite struct TemplateDeflaterTests {
    /// One block, as the ring passes it to the compressor.
    private struct Block {
        var bytes: [UInt8]
        var hints: [CellHints.Hint] = []
    }

    /// The compressed blocks as one stream.
    private func compress(_ blocks: [Block], knowsWindowHints: Bool = true) -> [UInt8] {
        let deflater = TemplateDeflater()
        let output = OutputBuffer(capacity: 0)
        var before = Block(bytes: [])
        for (index, block) in blocks.enumerated() {
            let window = before.bytes.suffix(32 * 1024)
            let (hints, windowHints, all) = (CellHints(), CellHints(), CellHints())
            for hint in block.hints { hints.append(hint) }
            for hint in before.hints { all.append(hint) }
            if knowsWindowHints { windowHints.append(all, from: before.bytes.count - 32 * 1024) }
            let start = output.count
            let bytes = window + block.bytes
            deflater.deflate(
                bytes.span, window: window.count, hints: hints, windowHints: windowHints,
                windowOrigin: before.bytes.count, isLast: index == blocks.count - 1, into: output)
            // RFC 1951, 3.2.4: a stored block has five bytes more. Another five end a block at a byte.
            let bound = block.bytes.count + 5 * (block.bytes.count / 65_535 + 1) + 5
            #expect(output.count - start <= bound)
            before = block
        }
        return output.withBytes { bytes in (0..<bytes.count).map { bytes[$0] } }
    }

    private func check(_ blocks: [Block], _ comment: Comment? = nil) {
        let bytes = blocks.flatMap(\.bytes)
        #expect(Reference.inflated(compress(blocks), limit: bytes.count) == bytes, comment)
    }

    /// Splits at offsets. A hint belongs to the block in which its text ends, if it begins there too.
    private func split(_ whole: Block, at offsets: [Int]) -> [Block] {
        zip([0] + offsets, offsets + [whole.bytes.count]).map { start, end in
            Block(
                bytes: Array(whole.bytes[start..<end]),
                hints: whole.hints.filter { $0.start >= start && $0.start + $0.count <= end }.map {
                    CellHints.Hint(
                        start: $0.start - start, count: $0.count, column: $0.column,
                        form: CellHints.Hint.Form(rawValue: UInt8($0.form)) ?? .inline)
                })
        }
    }

    /// The XML of a sheet, made by the row writer.
    private func sheet(
        rows: Int, columns: Int = 6, references: Bool = true, text: (inout Generator, Int, Int) -> [UInt8]? = Self.text
    ) -> Block {
        let strings = SharedStrings(capacity: 100_000)
        let writer = RowWriter(strings: strings, hasReferences: references)
        writer.begin((0..<columns).map { Column("c\($0)", $0 % 3 == 2 ? .date : .text) })
        var generator = Generator(seed: 1)
        for row in 1...rows {
            writer.beginRow(row)
            for column in 0..<columns {
                if column % 3 == 2 {
                    writer.date(serial: 40_000 + Int(generator.next() % 5_000))
                } else if let text = text(&generator, row, column) {
                    writer.text(text.span)
                } else {
                    writer.empty()
                }
            }
            writer.endRow()
        }
        return Block(
            bytes: writer.output.withBytes { bytes in (0..<bytes.count).map { bytes[$0] } },
            hints: (0..<writer.hints.count).map { writer.hints[$0] })
    }

    @Sendable private static func text(_ generator: inout Generator, _ row: Int, _ column: Int) -> [UInt8]? {
        let names = ["Grace", "Katherine", "Мария", "O'Brien & Sons", "Ада", "x", ""]
        let number = generator.next()
        if number % 11 == 0 { return nil }
        let name = names[Int(number >> 8 % 7)]
        return Array((column == 0 ? "\(name) \(number >> 40)" : column == 1 ? "\(row)@example.com" : name).utf8)
    }

    @Test(
        "Blocks without hints inflate to themselves",
        arguments: [
            [0], [1], [3, 0, 7, 8, 9], [0, 0, 0], [100_000], [70_000, 70_000, 1], [32_768, 32_769, 65_535, 65_536], [8, 20],
        ])
    func plain(_ sizes: [Int]) {
        let kinds: [(String, (inout Generator, Int) -> UInt8)] = [
            ("random bytes", { generator, _ in UInt8(truncatingIfNeeded: generator.next()) }),
            ("one byte", { _, _ in 0x41 }),
            ("two bytes", { generator, _ in generator.next() % 2 == 0 ? 0x41 : 0x42 }),
            ("a period", { _, at in UInt8(truncatingIfNeeded: at % 250) }),
            ("skewed", { generator, _ in UInt8(generator.next().trailingZeroBitCount) }),
            ("runs", { generator, at in at % 600 < 400 ? 0x43 : UInt8(truncatingIfNeeded: generator.next()) }),
            ("far apart", { _, at in UInt8(truncatingIfNeeded: (at % 32_768) &* 0x9E37 >> 7) }),
        ]
        for (name, byte) in kinds {
            var generator = Generator(seed: 3)
            var at = 0
            check(
                sizes.map { size in
                    Block(
                        bytes: (0..<size).map { _ in
                            at += 1
                            return byte(&generator, at)
                        })
                }, "\(name)")
        }
    }

    @Test(
        "A sheet inflates to itself, wherever its blocks begin",
        arguments: [1, 17, 1_000, 4_096, 32_767, 32_768, 40_001, 100_000, .max])
    func borders(_ size: Int) {
        for references in [true, false] {
            let whole = sheet(rows: size < 100 ? 40 : 1_200, references: references)
            check(split(whole, at: size == .max ? [] : Array(stride(from: size, to: whole.bytes.count, by: size))))
        }
    }

    @Test("Texts that are long, equal, or parts of the sheet itself inflate to themselves")
    func texts() {
        let markup = "</t></is></c><c r=\"B2\" s=\"1\" t=\"inlineStr\"><is><t>"
        let texts: [[UInt8]] = [
            Array(markup.utf8), Array(repeating: 0x61, count: 259), Array(repeating: 0x61, count: 40_000),
            Array(String(repeating: "abcdefg", count: 10_000).utf8), Array("a".utf8), Array("ab".utf8),
            Array(String(repeating: markup, count: 50).utf8),
        ]
        for columns in [1, 2, 3, 300] {
            let whole = sheet(rows: columns > 3 ? 4 : 60, columns: columns) { generator, row, _ in
                texts[Int(generator.next() % UInt64(texts.count))]
            }
            check([whole])
            check(split(whole, at: [whole.bytes.count / 3, whole.bytes.count / 2]))
        }
    }

    @Test("Sheets of no row, of one row, and around numbers of rows with one more digit inflate to themselves")
    func rowNumbers() {
        check([Block(bytes: [])])
        for rows in [1, 2, 9, 10, 11, 99, 100, 1_001] { check([sheet(rows: rows)]) }
    }

    @Test("Wrong hints change only the size", arguments: 0..<60 as Range<UInt64>)
    func wrongHints(_ seed: UInt64) {
        var generator = Generator(seed: seed)
        let right = sheet(rows: 150)
        var blocks = split(right, at: [right.bytes.count / 2, right.bytes.count * 3 / 4])
        for index in blocks.indices {
            let count = blocks[index].bytes.count
            var hints = blocks[index].hints
            switch seed % 6 {
            case 0: hints.reverse()
            case 1: hints.shuffle(using: &generator)
            case 2: hints = hints.flatMap { [$0, $0, $0] }
            case 3:
                hints = hints.map {
                    CellHints.Hint(
                        start: $0.start + Int(generator.next() % 40), count: $0.count, column: $0.column, form: .date)
                }
            default:
                // Beyond the block, overlapping, and of any column.
                hints = (0..<500).map { _ in
                    CellHints.Hint(
                        start: Int(generator.next() % UInt64(2 * count)), count: Int(generator.next() % 300),
                        column: Int(generator.next() % 16_384), form: generator.next() % 2 == 0 ? .inline : .shared)
                }
                if seed % 6 == 5 { hints.sort { $0.start < $1.start } }
            }
            blocks[index].hints = hints
        }
        check(blocks, "seed \(seed)")
    }

    @Test("A sheet is compressed by its hints: more than zlib's level 6 does, and across the border of a block")
    func hints() throws {
        let whole = sheet(rows: 2_000)
        let size = compress([whole]).count
        let output = OutputBuffer()
        try ZlibDeflater(level: 6).deflate(whole.bytes.span, window: 0, level: 6, isLast: true, into: output)
        #expect(size < output.count, "\(size), and \(output.count) with zlib")
        #expect(size * 11 / 10 < compress([Block(bytes: whole.bytes)]).count)

        let blocks = split(whole, at: [100_000, 101_000])
        #expect(compress(blocks).count + 20 < compress(blocks, knowsWindowHints: false).count)
    }

    @Test("No block shrinks so much that Apache POI takes the part for an attack")
    func ratio() {
        let one = [UInt8](repeating: 0x41, count: 500_000)
        let rows = sheet(rows: 20_000, columns: 2, references: false) { _, _, _ in Array("the same".utf8) }
        for block in [Block(bytes: one), rows] {
            let size = compress([block]).count
            #expect(size * 70 > block.bytes.count && size * 30 < block.bytes.count, "\(size) of \(block.bytes.count)")
            check([block])
        }
    }

    @Test("No match begins before the window, even if the memory there has the bytes that a hint promises")
    func windowStart() {
        let whole = sheet(rows: 30)
        for first in whole.hints.prefix(12).map(\.start) {
            for start in (first - 4)...first {
                let (block, hints, output) = (split(whole, at: [start])[1], CellHints(), OutputBuffer())
                for hint in block.hints { hints.append(hint) }
                TemplateDeflater().deflate(
                    whole.bytes.span.extracting(start...), window: 0, hints: hints, windowHints: CellHints(),
                    windowOrigin: 0,
                    isLast: true, into: output)
                let compressed = output.withBytes { bytes in (0..<bytes.count).map { bytes[$0] } }
                #expect(Reference.inflated(compressed, limit: block.bytes.count) == block.bytes, "from \(start) on")
            }
        }
    }

    @Test("A block gives the same bytes after any other block")
    func reuse() {
        let deflater = TemplateDeflater()
        func compress(_ block: Block) -> [UInt8] {
            let (output, hints) = (OutputBuffer(), CellHints())
            for hint in block.hints { hints.append(hint) }
            deflater.deflate(
                block.bytes.span, window: 0, hints: hints, windowHints: CellHints(), windowOrigin: 0, isLast: true,
                into: output)
            return output.withBytes { bytes in (0..<bytes.count).map { bytes[$0] } }
        }
        let blocks = [sheet(rows: 50), sheet(rows: 1_000), Block(bytes: [1]), sheet(rows: 10, references: false)]
        let expected = blocks.map { self.compress([$0]) }
        for index in [0, 1, 2, 3, 2, 1, 0, 3, 0] { #expect(compress(blocks[index]) == expected[index]) }
    }
}
