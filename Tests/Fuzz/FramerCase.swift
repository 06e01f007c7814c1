private import JSONRPC

/// A stream that is split anywhere gives the same lines as in one piece.
enum FramerCase {
    private static let limit = 64

    /// The first byte determines how the stream is split.
    static func run(_ input: [UInt8]) {
        guard let seed = input.first else { return }
        let bytes = Array(input.dropFirst())
        var whole = LineFramer(limit: limit)
        let expected = whole.append(bytes)
        var framer = LineFramer(limit: limit)
        var events: [LineFramer.Event] = []
        for part in Cuts(bytes, seed: seed) { events += framer.append(part) }
        if events != expected { fail("a split stream gives other lines") }
        if framer.isWithinLine != whole.isWithinLine || framer.isUnfinished != whole.isUnfinished {
            fail("a split stream has another end")
        }
        for case .line(let line) in events where line.contains(UInt8(ascii: "\n")) || line.isEmpty || line.count > limit {
            fail("a line is none")
        }
    }
}

/// Pieces of a stream, of lengths that the seed chooses.
struct Cuts: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var at = 0
    private var state: UInt32

    init(_ bytes: [UInt8], seed: UInt8) {
        self.bytes = bytes
        state = UInt32(seed) &* 2_654_435_761 | 1
    }

    mutating func next() -> [UInt8]? {
        guard at < bytes.count else { return nil }
        state = state &* 1_664_525 &+ 1_013_904_223
        let length = state >> 28 < 4 ? 1 : Int(state >> 26) + 1
        defer { at += length }
        return Array(bytes[at..<Swift.min(bytes.count, at + length)])
    }
}
