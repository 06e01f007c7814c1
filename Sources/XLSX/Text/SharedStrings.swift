/// The shared-strings table (ECMA-376 Part 1, 18.4.8), bounded in bytes.
///
/// A cell with a string of the table is about 30 bytes smaller than one with an inline string, and the reader keeps one string
/// instead of many. In a writer with an unbounded table, memory grows with the number of rows. This table takes no new string
/// at its capacity, and does not serve a column whose strings rarely repeat.
final class SharedStrings {
    /// Longer texts are never shared: they rarely repeat, and a few would fill the table.
    static let longest = 1_024

    /// The number of cells after which a column is judged.
    static let probe = 2_048

    private struct Entry {
        let offset: UInt32
        let length: UInt32
    }

    private struct Slot {
        var hash: UInt32
        /// The index of the entry; -1 for a free slot.
        var index: Int32
    }

    /// The statistics of one column, which the sheet keeps. The column is shared as long as that saves space.
    struct ColumnUse {
        private(set) var isShared = true
        private var seen: Int32 = 0
        private var added: Int32 = 0

        /// Judges the column after each `probe` cells: if more than half were new, its further cells are inline.
        @inline(__always)
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
    private let arena = OutputBuffer(capacity: 16 * 1024)
    private let scratch = OutputBuffer(capacity: 4 * 1024)
    private var entries: UnsafeMutablePointer<Entry>
    private var entryCapacity = 1_024
    private(set) var count = 0
    private var slots: UnsafeMutablePointer<Slot>
    private var slotCount = 1_024
    /// Different for each table, so that nobody can choose texts that all collide. The output does not depend on it.
    private let seed = UInt64.random(in: .min ... .max)

    /// - Parameter capacity: the maximum size of strings, entries and hash slots together, in bytes; 0 shares nothing.
    init(capacity: Int) {
        self.capacity = capacity
        slots = Self.emptySlots(slotCount)
        entries = .allocate(capacity: entryCapacity)
    }

    deinit {
        entries.deallocate()
        slots.deallocate()
    }

    private static func emptySlots(_ count: Int) -> UnsafeMutablePointer<Slot> {
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: count)
        slots.initialize(repeating: Slot(hash: 0, index: -1), count: count)
        return slots
    }

    /// Returns the index of the text, and adds the text if there is space; -1 if the cell has to be inline.
    ///
    /// - Parameter text: at most `longest` bytes.
    @inline(__always)
    func index(of text: UnsafeRawPointer, _ count: Int, use: inout ColumnUse) -> Int {
        let hash = hash(text, count)
        var slot = Int(hash) & (slotCount &- 1)
        while slots[slot].index >= 0 {
            if slots[slot].hash == hash, matches(Int(slots[slot].index), text, count) {
                use.record(wasNew: false)
                return Int(slots[slot].index)
            }
            slot = (slot &+ 1) & (slotCount &- 1)
        }
        use.record(wasNew: true)
        return add(
            UnsafeBufferPointer(start: text.assumingMemoryBound(to: UInt8.self), count: count), hash: hash, slot: slot)
    }

    @inline(never)
    private func add(_ text: UnsafeBufferPointer<UInt8>, hash: UInt32, slot: Int) -> Int {
        let slotsNeeded = (count + 1) * 2 > slotCount ? slotCount * 2 : slotCount
        let size =
            arena.count + text.count + (count + 1) * MemoryLayout<Entry>.stride + slotsNeeded * MemoryLayout<Slot>.stride
        guard size <= capacity else { return -1 }
        // A text that had to be changed stays inline, so that each cell with such a text is counted.
        scratch.removeAll()
        guard CellText.append(text, to: scratch).isEmpty else { return -1 }
        if count == entryCapacity { growEntries() }
        (entries + count).initialize(to: Entry(offset: UInt32(arena.count), length: UInt32(text.count)))
        arena.append(text)
        slots[slot] = Slot(hash: hash, index: Int32(count))
        count += 1
        if count * 2 > slotCount { rehash() }
        return count - 1
    }

    private func growEntries() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: entryCapacity * 2)
        larger.moveInitialize(from: entries, count: count)
        entries.deallocate()
        entries = larger
        entryCapacity *= 2
    }

    private func rehash() {
        let old = UnsafeMutableBufferPointer(start: slots, count: slotCount)
        slotCount *= 2
        slots = Self.emptySlots(slotCount)
        for filled in old where filled.index >= 0 {
            var slot = Int(filled.hash) & (slotCount - 1)
            while slots[slot].index >= 0 { slot = (slot + 1) & (slotCount - 1) }
            slots[slot] = filled
        }
        old.deallocate()
    }

    @inline(__always)
    private func matches(_ index: Int, _ text: UnsafeRawPointer, _ count: Int) -> Bool {
        let entry = entries[index]
        guard Int(entry.length) == count else { return false }
        let stored = UnsafeRawPointer(arena.base + Int(entry.offset))
        if count >= 8 {
            var at = 0
            while at &+ 8 < count {
                if word(stored, at) != word(text, at) { return false }
                at &+= 8
            }
            return word(stored, count &- 8) == word(text, count &- 8)
        }
        return short(stored, count) == short(text, count)
    }

    /// Folded 128-bit products of eight bytes at a time; the last eight bytes may overlap the previous ones.
    @inline(__always)
    private func hash(_ text: UnsafeRawPointer, _ count: Int) -> UInt32 {
        @inline(__always) func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        var hash = seed ^ UInt64(truncatingIfNeeded: count)
        if count >= 8 {
            var at = 0
            while at &+ 8 < count {
                hash = fold(hash ^ word(text, at))
                at &+= 8
            }
            hash = fold(hash ^ word(text, count &- 8))
        } else {
            hash = fold(hash ^ short(text, count))
        }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    @inline(__always)
    private func word(_ text: UnsafeRawPointer, _ at: Int) -> UInt64 {
        text.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }

    /// Up to seven bytes as a number. Together with the length it identifies the text.
    @inline(__always)
    private func short(_ text: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            return UInt64(text.loadUnaligned(as: UInt32.self))
                | UInt64(text.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)) << 32
        }
        guard count > 0 else { return 0 }
        let bytes = text.assumingMemoryBound(to: UInt8.self)
        return UInt64(bytes[0]) | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count &- 1]) << 16
    }

    /// Writes the part, and calls `flush` each time the buffer has the size of a block.
    ///
    /// - Parameter references: the number of cells that refer to the table, for the `count` attribute.
    func write(references: Int, to output: OutputBuffer, flush: () throws -> Void) rethrows {
        output.append(XMLParts.declaration)
        output.append(
            "<sst xmlns=\"\(XMLParts.main)\" count=\"\(references)\" uniqueCount=\"\(count)\">")
        for entry in UnsafeBufferPointer(start: entries, count: count) {
            let text = UnsafeBufferPointer(start: arena.base + Int(entry.offset), count: Int(entry.length))
            output.reserve(64)
            output.appendUnchecked(
                CellText.needsSpacePreserved(text) ? "<si><t xml:space=\"preserve\">" : "<si><t>")
            _ = CellText.append(text, to: output)
            output.reserve(64)
            output.appendUnchecked("</t></si>")
            if output.count >= ZipWriter.blockSize { try flush() }
        }
        output.append("</sst>")
    }
}
