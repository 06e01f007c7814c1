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
    /// What has come and not been looked at.
    private var rest: ArraySlice<UInt8> = []

    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether a line has begun and not ended.
    package var isWithinLine: Bool { isDiscarding || !partial.isEmpty }

    /// How many bytes of a line that has not ended are kept.
    package var partialBytes: Int { partial.count }

    /// Drops the line that has begun, to its end.
    package mutating func dropLine() {
        guard isWithinLine else { return }
        partial = []
        isDiscarding = true
    }

    /// Takes the next bytes and gives the lines that they complete.
    package mutating func append(_ bytes: [UInt8]) -> [Event] {
        feed(bytes)
        var events: [Event] = []
        while let event = next() { events.append(event) }
        return events
    }

    /// Takes the next bytes, of which ``next()`` gives the lines. Only when it has given all of them.
    package mutating func feed(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// The next line that is complete.
    package mutating func next() -> Event? {
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
                    // What is left of it is dropped by the next call.
                    rest = rest[(end ?? rest.endIndex)...]
                    return .tooLong
                }
            }
            guard let end else { break }
            rest = rest[(end + 1)...]
            if isDiscarding {
                isDiscarding = false
            } else if let line = takeLine() {
                return .line(line)
            }
        }
        rest = []
        return nil
    }

    private mutating func takeLine() -> [UInt8]? {
        defer { partial = [] }
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        let isBlank = partial.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        return isBlank ? nil : partial
    }
}
