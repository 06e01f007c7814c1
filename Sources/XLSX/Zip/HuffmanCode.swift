/// A canonical Huffman code (RFC 1951, 3.2.2) whose codewords are not longer than a limit.
struct HuffmanCode {
    /// The number of bits of each symbol's codeword; 0 for a symbol without one.
    let lengths: [UInt8]
    /// The codewords with their bits reversed, because DEFLATE packs them from their most significant bit on (RFC 1951, 3.1.1).
    let codewords: [UInt16]

    /// The code with the fewest bits for these frequencies. Only if the limit is exceeded, it can be a little longer.
    ///
    /// A code has at least two codewords, since some decoders refuse a code with one: symbols without occurrences get codewords too.
    ///
    /// - Parameter limit: the maximum length, at most 15, with room for a codeword for each symbol.
    init(frequencies: [UInt32], limit: Int) {
        lengths = Self.lengths(frequencies, limit: limit)
        codewords = Self.codewords(lengths)
    }

    private static func lengths(_ frequencies: [UInt32], limit: Int) -> [UInt8] {
        // The symbol makes the keys unique, so equal frequencies give equal codes.
        var sorted = frequencies.indices.filter { frequencies[$0] > 0 }.map { UInt64(frequencies[$0]) << 16 | UInt64($0) }
        for symbol in frequencies.indices where sorted.count < 2 && frequencies[symbol] == 0 {
            sorted.append(1 << 16 | UInt64(symbol))
        }
        sorted.sort()
        var counts = lengthCounts(sorted.map { $0 >> 16 }, limit: limit)
        var lengths = [UInt8](repeating: 0, count: frequencies.count)
        // The rarest symbols get the longest codewords.
        var length = limit
        for key in sorted {
            while counts[length] == 0 { length -= 1 }
            counts[length] -= 1
            lengths[Int(key & 0xFFFF)] = UInt8(length)
        }
        return lengths
    }

    /// The number of codewords of each length, for weights in ascending order.
    ///
    /// Huffman's algorithm with two queues: the leaves in order, and the inner nodes, which come into being in order.
    private static func lengthCounts(_ weights: [UInt64], limit: Int) -> [Int] {
        let leaves = weights.count
        var weights = weights
        var parents = [Int](repeating: 0, count: 2 * leaves - 1)
        var (leaf, inner) = (0, leaves)
        while weights.count < 2 * leaves - 1 {
            let parent = weights.count
            var weight: UInt64 = 0
            for _ in 0..<2 {
                let takesLeaf = leaf < leaves && (inner == parent || weights[leaf] <= weights[inner])
                let child = takesLeaf ? leaf : inner
                if takesLeaf { leaf += 1 } else { inner += 1 }
                weight += weights[child]
                parents[child] = parent
            }
            weights.append(weight)
        }
        var counts = [Int](repeating: 0, count: limit + 1)
        var depths = [Int](repeating: 0, count: 2 * leaves - 1)
        for node in (0..<(2 * leaves - 2)).reversed() {
            depths[node] = depths[parents[node]] + 1
            if node < leaves { counts[min(depths[node], limit)] += 1 }
        }
        shorten(&counts, limit: limit)
        return counts
    }

    /// Makes the lengths those of a prefix code again, after longer ones were cut to the limit.
    ///
    /// By Kraft's inequality the sum of 2^-length must not exceed 1. Each step takes 2^-limit from the sum: a codeword of the limit
    /// becomes the sibling of the longest shorter one, which grows by one bit.
    private static func shorten(_ counts: inout [Int], limit: Int) {
        var excess = counts.indices.dropFirst().reduce(-(1 << limit)) { $0 + counts[$1] << (limit - $1) }
        while excess > 0 {
            guard let length = (1..<limit).last(where: { counts[$0] > 0 }) else {
                preconditionFailure("more symbols than codewords")
            }
            counts[limit] -= 1
            counts[length] -= 1
            counts[length + 1] += 2
            excess -= 1
        }
    }

    private static func codewords(_ lengths: [UInt8]) -> [UInt16] {
        var counts = [UInt16](repeating: 0, count: 16)
        for length in lengths where length > 0 { counts[Int(length)] += 1 }
        var next = [UInt16](repeating: 0, count: 16)
        for length in 1..<16 { next[length] = (next[length - 1] &+ counts[length - 1]) << 1 }
        return lengths.map { length in
            guard length > 0 else { return 0 }
            defer { next[Int(length)] &+= 1 }
            var (rest, reversed): (UInt16, UInt16) = (next[Int(length)], 0)
            for _ in 0..<length {
                reversed = reversed << 1 | rest & 1
                rest >>= 1
            }
            return reversed
        }
    }
}
