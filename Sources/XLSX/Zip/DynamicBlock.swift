/// A DEFLATE block with dynamic Huffman codes (RFC 1951, 3.2.7) for the sequences that ``MatchFinder`` has found.
struct DynamicBlock {
    private static let endOfBlock = 256
    /// Literals, the end of the block, and lengths; distances.
    private static let symbols = 286
    private static let distanceSymbols = 30
    private static let maxCodeLength = 15
    /// The order in which the lengths of the code length code are stored.
    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private let literals: HuffmanCode
    private let distances: HuffmanCode
    private let header: Header
    /// The bytes that the block takes at most.
    let size: Int

    /// SAFETY: the frequencies have the number of elements that their class states.
    init(_ memory: MatchMemory) {
        var frequencies = [UInt32](repeating: 0, count: Self.symbols)
        for literal in 0..<256 { unsafe frequencies[literal] = memory.frequencies[literal] }
        frequencies[Self.endOfBlock] = 1
        for length in 0..<256 {
            unsafe frequencies[LengthCode(length).symbol] += memory.frequencies[MatchMemory.lengths + length]
        }
        let distanceFrequencies = (0..<Self.distanceSymbols).map { unsafe memory.frequencies[MatchMemory.distances + $0] }
        literals = HuffmanCode(frequencies: frequencies, limit: Self.maxCodeLength)
        distances = HuffmanCode(frequencies: distanceFrequencies, limit: Self.maxCodeLength)
        header = Header(literals, distances)
        var bits = header.bits + 3
        for symbol in 0..<Self.symbols {
            bits += Int(frequencies[symbol]) * (Int(literals.lengths[symbol]) + LengthCode.extraBits(ofSymbol: symbol))
        }
        for symbol in 0..<Self.distanceSymbols {
            bits += Int(distanceFrequencies[symbol]) * (Int(distances.lengths[symbol]) + max(0, symbol / 2 - 1))
        }
        size = bits / 8 + 1
    }

    /// The lengths of both codes, run-length coded.
    private struct Header {
        /// Symbols of the code length alphabet with their extra bits.
        private var items: [(symbol: Int, extra: Int, extraBits: Int)] = []
        private let code: HuffmanCode
        private let literalCount: Int
        private let distanceCount: Int
        private let orderCount: Int
        let bits: Int

        init(_ literals: HuffmanCode, _ distances: HuffmanCode) {
            let literalCount = max(257, 1 + (literals.lengths.lastIndex { $0 > 0 } ?? 0))
            let distanceCount = 1 + (distances.lengths.lastIndex { $0 > 0 } ?? 0)
            let lengths = Array(literals.lengths.prefix(literalCount) + distances.lengths.prefix(distanceCount))
            var at = 0
            while at < lengths.count {
                let length = lengths[at]
                let run = lengths[at...].prefix { $0 == length }.count
                let item: (symbol: Int, extra: Int, extraBits: Int)
                var taken = 1
                if length == 0, run >= 11 {
                    taken = min(run, 138)
                    item = (18, taken - 11, 7)
                } else if length == 0, run >= 3 {
                    taken = run
                    item = (17, taken - 3, 3)
                } else if length > 0, at > 0, lengths[at - 1] == length, run >= 3 {
                    taken = min(run, 6)
                    item = (16, taken - 3, 2)
                } else {
                    item = (Int(length), 0, 0)
                }
                items.append(item)
                at += taken
            }
            var frequencies = [UInt32](repeating: 0, count: DynamicBlock.lengthOrder.count)
            for item in items { frequencies[item.symbol] += 1 }
            code = HuffmanCode(frequencies: frequencies, limit: 7)
            orderCount = 1 + (DynamicBlock.lengthOrder.lastIndex { [code] in code.lengths[$0] > 0 } ?? 3)
            self.literalCount = literalCount
            self.distanceCount = distanceCount
            bits = items.reduce(14 + 3 * orderCount) { [code] in $0 + Int(code.lengths[$1.symbol]) + $1.extraBits }
        }

        func write(to writer: inout BitWriter) {
            writer.put(literalCount - 257, 5)
            writer.put(distanceCount - 1, 5)
            writer.put(orderCount - 4, 4)
            for symbol in DynamicBlock.lengthOrder.prefix(orderCount) { writer.put(Int(code.lengths[symbol]), 3) }
            for item in items {
                writer.put(Int(code.codewords[item.symbol]), Int(code.lengths[item.symbol]))
                writer.put(item.extra, item.extraBits)
            }
        }
    }

    // MARK: Writing

    /// Writes the block, and after a block that is not the last an empty stored block, which ends at a byte.
    ///
    /// SAFETY: the sequences stand for exactly the bytes, so no literal is beyond them. The writer has room for `size` bytes.
    func write(_ memory: MatchMemory, _ count: Int, _ bytes: Span<UInt8>, isLast: Bool, to output: OutputBuffer) {
        var writer = BitWriter(output, room: size + 16)
        writer.put(isLast ? 1 : 0, 1)
        writer.put(2, 2)
        header.write(to: &writer)
        unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256 + 256 + 32) { entries in
            guard let entries = entries.baseAddress else { return }
            unsafe fill(entries)
            unsafe bytes.withUnsafeBufferPointer { bytes in
                guard let bytes = bytes.baseAddress else { return }
                unsafe Self.write(memory.sequences, count, bytes, entries, to: &writer)
            }
        }
        writer.put(Int(literals.codewords[Self.endOfBlock]), Int(literals.lengths[Self.endOfBlock]))
        if !isLast { writer.putEmptyStored() }
        writer.finish(output)
    }

    /// Fills a table of codewords: of literals, of lengths with their extra bits, and of distances. The number of bits is in the upper
    /// eight bits.
    private func fill(_ entries: UnsafeMutablePointer<UInt32>) {
        for literal in 0..<256 {
            unsafe (entries + literal).initialize(
                to: UInt32(literals.codewords[literal]) | UInt32(literals.lengths[literal]) << 24)
        }
        for index in 0..<256 {
            let length = LengthCode(index)
            let bits = UInt32(literals.lengths[length.symbol])
            let codeword = UInt32(literals.codewords[length.symbol]) | UInt32(length.extra) << bits
            unsafe (entries + 256 + index).initialize(to: codeword | (bits + UInt32(length.extraBits)) << 24)
        }
        for symbol in 0..<Self.distanceSymbols {
            unsafe (entries + 512 + symbol).initialize(
                to: UInt32(distances.codewords[symbol]) | UInt32(distances.lengths[symbol]) << 24)
        }
    }

    @inline(__always)
    private static func write(
        _ sequences: UnsafePointer<UInt32>, _ count: Int, _ bytes: UnsafePointer<UInt8>, _ entries: UnsafePointer<UInt32>,
        to writer: inout BitWriter
    ) {
        var output = writer
        var literal = unsafe bytes
        for index in 0..<count {
            let sequence = unsafe sequences[index]
            let end = unsafe literal + Int(sequence >> 24)
            while unsafe literal + 3 <= end {
                unsafe output.put(entries[Int(literal[0])])
                unsafe output.put(entries[Int(literal[1])])
                unsafe output.put(entries[Int(literal[2])])
                output.flush()
                unsafe literal += 3
            }
            if unsafe literal < end {
                unsafe output.put(entries[Int(literal[0])])
                if unsafe literal + 1 < end { unsafe output.put(entries[Int(literal[1])]) }
                output.flush()
                unsafe literal = end
            }
            guard sequence & MatchMemory.isMatch != 0 else { continue }
            let length = Int(sequence >> 15 & 0xFF)
            unsafe output.put(entries[256 + length])
            let distance = DistanceCode(Int(sequence & 0x7FFF))
            unsafe output.put(entries[512 + Int(distance.symbol)])
            output.put(UInt64(distance.extra), UInt64(distance.extraBits))
            output.flush()
            unsafe literal += length + 3
        }
        writer = output
    }

    /// Writes the bytes as they are.
    static func writeStored(_ bytes: Span<UInt8>, isLast: Bool, to output: OutputBuffer) {
        var rest = bytes
        repeat {
            let part = rest.extracting(first: 65_535)
            rest = rest.extracting(droppingFirst: part.count)
            output.append(isLast && rest.isEmpty ? 1 : 0)
            output.append(littleEndian: UInt16(part.count))
            output.append(littleEndian: ~UInt16(part.count))
            output.append(part)
        } while !rest.isEmpty
    }

    /// Writes a block without bytes: a stored one, or as the last one a block with fixed codes.
    static func writeEmpty(isLast: Bool, to output: OutputBuffer) {
        if isLast {
            output.append(littleEndian: UInt16(0x0003))
        } else {
            writeStored(Span(), isLast: false, to: output)
        }
    }
}
