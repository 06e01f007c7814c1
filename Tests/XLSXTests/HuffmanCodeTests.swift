import Testing

@testable import XLSX
import XLSXTestSupport

@Suite struct HuffmanCodeTests {
    private static func frequencies(_ count: Int, seed: UInt64) -> [UInt32] {
        var generator = Generator(seed: seed)
        // Some symbols do not occur, and some occur much more often than others.
        return (0..<count).map { _ in
            let number = generator.next()
            return number & 3 == 0 ? 0 : UInt32(truncatingIfNeeded: number >> (32 + number % 30))
        }
    }

    /// Frequencies of which Huffman's code is as long as possible: each is the sum of all smaller ones.
    private static func fibonacci(_ count: Int) -> [UInt32] {
        var frequencies: [UInt32] = [1, 1]
        while frequencies.count < count {
            frequencies.append(frequencies[frequencies.count - 1] &+ frequencies[frequencies.count - 2])
        }
        return Array(frequencies.prefix(count))
    }

    @Test(
        "Each symbol that occurs has a codeword within the limit, no codeword begins another, and no bit is wasted",
        arguments: [(286, 15), (30, 15), (19, 7), (40, 15), (2, 1), (128, 7), (3, 2)])
    func prefixCode(_ count: Int, _ limit: Int) {
        let cases =
            [Self.fibonacci(count), [UInt32](repeating: 7, count: count)]
            + (0..<20).map { Self.frequencies(count, seed: $0) }
        for frequencies in cases {
            let code = HuffmanCode(frequencies: frequencies, limit: limit)
            let used = code.lengths.indices.filter { code.lengths[$0] > 0 }
            #expect(used.allSatisfy { code.lengths[$0] <= limit } && used.count >= 2)
            #expect(frequencies.indices.allSatisfy { frequencies[$0] == 0 || code.lengths[$0] > 0 })
            // Kraft's sum is 1: a decoder accepts the code, and no codeword is left over.
            #expect(used.reduce(0) { $0 + 1 << (limit - Int(code.lengths[$1])) } == 1 << limit)
            let codewords = used.map { symbol in
                String((0..<code.lengths[symbol]).map { code.codewords[symbol] >> UInt16($0) & 1 == 0 ? "0" : "1" })
            }.sorted()
            #expect(zip(codewords, codewords.dropFirst()).allSatisfy { !$1.hasPrefix($0) })
        }
    }

    @Test("Without a limit in the way, no code is shorter; more frequent symbols have no longer codewords")
    func optimal() {
        // The example of Cormen et al., Introduction to Algorithms, 16.3: 224 bits for 100 characters.
        let frequencies: [UInt32] = [45, 13, 12, 16, 9, 5]
        let code = HuffmanCode(frequencies: frequencies, limit: 15)
        #expect(zip(frequencies, code.lengths).reduce(0) { $0 + Int($1.0) * Int($1.1) } == 224)
        for seed in 0..<20 as Range<UInt64> {
            let frequencies = Self.frequencies(286, seed: seed)
            let code = HuffmanCode(frequencies: frequencies, limit: 15)
            let sorted = frequencies.indices.filter { frequencies[$0] > 0 }.sorted { frequencies[$0] < frequencies[$1] }
            for (rarer, other) in zip(sorted, sorted.dropFirst()) where frequencies[rarer] < frequencies[other] {
                #expect(code.lengths[rarer] >= code.lengths[other])
            }
        }
    }

    @Test(
        "A code has two codewords even if fewer symbols occur",
        arguments: [[0, 0, 0], [0, 5, 0], [5, 0, 0], [0, 0, 5]] as [[UInt32]])
    func few(_ frequencies: [UInt32]) {
        let code = HuffmanCode(frequencies: frequencies, limit: 15)
        #expect(code.lengths.filter { $0 == 1 }.count == 2 && code.lengths.filter { $0 == 0 }.count == 1)
    }

    @Test("Codewords are those of the example in RFC 1951, 3.2.2, with reversed bits")
    func canonical() {
        // Frequencies that give the lengths (3, 3, 3, 3, 3, 2, 4, 4) of the symbols A to H.
        let code = HuffmanCode(frequencies: [4, 4, 4, 4, 4, 8, 2, 2], limit: 15)
        #expect(code.lengths == [3, 3, 3, 3, 3, 2, 4, 4])
        #expect(code.codewords == [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111])
    }
}
