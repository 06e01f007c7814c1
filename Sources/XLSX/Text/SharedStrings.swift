/// The shared-strings table (ECMA-376 Part 1, 18.4.8), bounded in bytes.
///
/// A string that is in the table costs a cell some 30 bytes less than an inline one and gives the reader one string
/// where there were many. A table without a bound is what makes other writers' memory grow with the number of rows, so
/// this one stops taking new strings at its capacity, and leaves a column alone that does not repeat.
struct SharedStrings {
    /// Longer texts are never shared: they hardly repeat, and few of them would fill the table.
    private static let longest = 1_024

    /// How many cells of a column are looked at before it is judged.
    static let probe = 2_048

    private struct Entry {
        let offset: Int
        let length: Int32
        let hash: UInt32
    }

    /// One column's record, kept by the sheet: shared while it pays.
    struct ColumnUse {
        fileprivate(set) var isShared = true
        private var seen = 0
        private var added = 0

        /// Judges the column each `probe` cells: where more than half were new, the rest of it is written inline.
        fileprivate mutating func record(wasNew: Bool) {
            seen &+= 1
            if wasNew { added &+= 1 }
            guard seen == SharedStrings.probe else { return }
            if added &* 2 > seen { isShared = false }
            seen = 0
            added = 0
        }
    }

    private let capacity: Int
    private let arena = OutputBuffer(capacity: 64 * 1024)
    private let scratch = OutputBuffer(capacity: 4 * 1024)
    private var entries: [Entry] = []
    private var slots: [Int32]

    /// - Parameter capacity: what strings, entries and hash slots may take together, in bytes; 0 shares nothing.
    init(capacity: Int) {
        self.capacity = capacity
        slots = Array(repeating: -1, count: 1_024)
    }

    var count: Int { entries.count }

    /// The index of the text, which is added where there is room; nil where the cell has to be inline.
    mutating func index(of text: UnsafeBufferPointer<UInt8>, use: inout ColumnUse) -> Int? {
        guard use.isShared, text.count <= Self.longest else { return nil }
        let hash = Self.hash(text)
        var slot = Int(hash) & (slots.count &- 1)
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, matches(entry, text) {
                use.record(wasNew: false)
                return Int(slots[slot])
            }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        use.record(wasNew: true)
        return add(text, hash: hash, slot: slot)
    }

    private mutating func add(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32, slot: Int) -> Int? {
        let size = arena.count + text.count + (entries.count + 1) * MemoryLayout<Entry>.stride + slots.count * 4
        guard size <= capacity else { return nil }
        // A text that had to be changed stays inline, so that each cell with such a text is counted.
        scratch.removeAll()
        guard CellText.append(text, to: scratch).isEmpty else { return nil }
        entries.append(Entry(offset: arena.count, length: Int32(text.count), hash: hash))
        arena.append(text)
        slots[slot] = Int32(entries.count - 1)
        if entries.count * 2 > slots.count { rehash() }
        return entries.count - 1
    }

    private mutating func rehash() {
        slots = Array(repeating: -1, count: slots.count * 2)
        for (index, entry) in entries.enumerated() {
            var slot = Int(entry.hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
    }

    @inline(__always)
    private func matches(_ entry: Entry, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard Int(entry.length) == text.count else { return false }
        let stored = arena.base + entry.offset
        var at = 0
        while at < text.count {
            if stored[at] != text[at] { return false }
            at &+= 1
        }
        return true
    }

    /// FNV-1a over eight bytes at a time, folded; the table is not exposed to chosen collisions across requests: it
    /// lives for one workbook and is bounded.
    @inline(__always)
    private static func hash(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(truncatingIfNeeded: text.count)
        guard let base = UnsafeRawPointer(text.baseAddress) else { return UInt32(truncatingIfNeeded: hash) }
        var at = 0
        while at &+ 8 <= text.count {
            hash = (hash ^ base.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
            at &+= 8
        }
        while at < text.count {
            hash = (hash ^ UInt64(text[at])) &* 0x100_0000_01B3
            at &+= 1
        }
        hash ^= hash >> 32
        return UInt32(truncatingIfNeeded: hash &* 0x9E37_79B9 >> 3)
    }

    /// Writes the part, calling `flush` whenever the buffer has grown to some size.
    ///
    /// - Parameter references: how many cells refer to the table, for the `count` attribute.
    func write(references: Int, to output: OutputBuffer, flush: () throws -> Void) rethrows {
        output.append(XMLParts.declaration)
        output.append(
            "<sst xmlns=\"\(XMLParts.main)\" count=\"\(references)\" uniqueCount=\"\(entries.count)\">")
        for entry in entries {
            let text = UnsafeBufferPointer(start: arena.base + entry.offset, count: Int(entry.length))
            output.reserve(64)
            output.appendUnchecked(
                CellText.needsSpacePreserved(text) ? "<si><t xml:space=\"preserve\">" : "<si><t>")
            _ = CellText.append(text, to: output)
            output.reserve(64)
            output.appendUnchecked("</t></si>")
            if output.count >= 64 * 1024 { try flush() }
        }
        output.append("</sst>")
    }
}
