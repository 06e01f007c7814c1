/// Cuts a stream of bytes into lines: no byte is looked at twice, and no more than one line is kept.
///
/// A pure value. `\n` ends a line, a `\r` before it is dropped, and lines of spaces are skipped. A line over the limit is
/// dropped to its end, told of once, and the next one is read as if nothing had been.
package struct LineFramer {
    package enum Event: Equatable, Sendable {
        case line([UInt8])
        case tooLong
    }

    private let limit: Int
    private var partial: [UInt8] = []
    private var isDiscarding = false

    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether a line has begun and not ended.
    package var isWithinLine: Bool { isDiscarding || !partial.isEmpty }

    /// Takes the next bytes and gives the lines that they complete.
    package mutating func append(_ bytes: [UInt8]) -> [Event] {
        var events: [Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n"))
            let part = rest[..<(end ?? rest.endIndex)]
            if !isDiscarding {
                if partial.count + part.count <= limit {
                    partial.append(contentsOf: part)
                } else {
                    // Freed, not kept: one long line must not cost its size for ever.
                    partial = []
                    isDiscarding = true
                    events.append(.tooLong)
                }
            }
            guard let end else { break }
            if isDiscarding {
                isDiscarding = false
            } else if let line = takeLine() {
                events.append(.line(line))
            }
            rest = rest[(end + 1)...]
        }
        return events
    }

    private mutating func takeLine() -> [UInt8]? {
        defer { partial = [] }
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        let isBlank = partial.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        return isBlank ? nil : partial
    }
}
