private import XLSX
private import XLSXTestSupport

/// Any bytes with any hints, in blocks of any size, inflate to themselves with zlib, and do not grow or shrink beyond the bounds.
enum DeflaterCase {
    private static let windowSize = 32 * 1024

    static func run(_ input: [UInt8]) {
        let blocks = blocks(input)
        let deflater = TemplateDeflater()
        let output = OutputBuffer(capacity: 0)
        var before: (bytes: [UInt8], hints: [CellHints.Hint]) = ([], [])
        for (index, block) in blocks.enumerated() {
            let window = before.bytes.suffix(windowSize)
            let (hints, windowHints) = (CellHints(), CellHints())
            for hint in block.hints { hints.append(hint) }
            for hint in before.hints { windowHints.append(hint) }
            let start = output.count
            let bytes = window + block.bytes
            deflater.deflate(
                bytes.span, window: window.count, hints: hints, windowHints: windowHints,
                windowOrigin: before.bytes.count, isLast: index == blocks.count - 1, into: output)
            let size = output.count - start
            if size > block.bytes.count + 5 * (block.bytes.count / 65_535 + 1) + 5 {
                fail("\(block.bytes.count) bytes became \(size)")
            }
            if size * 70 < block.bytes.count { fail("\(block.bytes.count) bytes became only \(size)") }
            before = block
        }
        let bytes = blocks.flatMap(\.bytes)
        let compressed = output.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
        guard Reference.inflated(compressed, limit: bytes.count) == bytes else {
            fail("zlib does not inflate the same bytes")
        }
    }

    /// Executes the input as a program that appends bytes, repeats earlier ones, gives hints and ends blocks.
    private static func blocks(_ input: [UInt8]) -> [(bytes: [UInt8], hints: [CellHints.Hint])] {
        var rest = input[...]
        func byte() -> Int { Int(rest.popFirst() ?? 0) }
        var blocks: [(bytes: [UInt8], hints: [CellHints.Hint])] = [([], [])]
        var total = 0
        while !rest.isEmpty, total < 400_000 {
            var block = blocks.removeLast()
            let before = block.bytes.count
            switch byte() % 8 {
            case 0: block.hints.append(hint(at: byte() << 8 | byte(), byte(), byte()))
            case 1: block.hints.append(hint(at: before - byte(), byte(), byte()))
            case 2:
                // A text with a hint, between parts that repeat.
                block.bytes += Array("</t></is></c><c r=\"A\(byte())\" s=\"1\" t=\"inlineStr\"><is><t>".utf8)
                let count = byte()
                block.hints.append(hint(at: block.bytes.count, count, byte()))
                block.bytes += rest.prefix(count)
                rest = rest.dropFirst(count)
            case 3, 4:
                let distance = (byte() << 8 | byte()) % (before + 1)
                let count = byte() << (byte() % 8)
                if distance > 0 {
                    for _ in 0..<count { block.bytes.append(block.bytes[block.bytes.count - distance]) }
                }
            case 5: block.bytes += repeatElement(UInt8(byte()), count: byte() << 4)
            case 6:
                blocks.append(block)
                block = ([], [])
            default:
                let count = byte()
                block.bytes += rest.prefix(count)
                rest = rest.dropFirst(count)
            }
            total += max(0, block.bytes.count - before)
            blocks.append(block)
        }
        return blocks
    }

    private static func hint(at start: Int, _ count: Int, _ kind: Int) -> CellHints.Hint {
        CellHints.Hint(
            start: max(0, start), count: count, column: kind >> 2,
            form: CellHints.Hint.Form(rawValue: UInt8(kind & 3)) ?? .inline)
    }
}
