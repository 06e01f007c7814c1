/// The shared-strings table (ECMA-376 Part 1, 18.4.8), bounded in bytes.
///
/// A cell with a string of the table is about 30 bytes smaller than one with an inline string, and the reader keeps one string
/// instead of many. In a writer with an unbounded table, memory grows with the number of rows. This table takes no new string
/// at its capacity, and does not serve a column whose strings rarely repeat.
///
/// SAFETY: this object alone owns the memory of `entries` and `slots`. The first `count` entries and all slots are initialized. A
/// slot has the index of one of these entries, and the place of a slot is masked by their number. Arrays would cost a check for
/// exclusive access for each cell.
@safe final class SharedStrings {
    /// Longer texts are never shared: they rarely repeat, and a few would fill the table.
    static let longest = 1_024

    /// The number of cells after which a column is judged.
    static let probe = 2_048

    private struct Entry {
        let offset: UInt32
        let length: UInt32
    }

    private struct Slot {
        static let free = Slot(hash: 0, index: -1)

        let hash: UInt32
        /// The index of the entry; -1 for a free slot.
        let index: Int32
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
    private var entries = UnsafeMutableBufferPointer<Entry>.allocate(capacity: 1_024)
    /// The number of strings.
    private(set) var count = 0
    /// As many as a power of two.
    private var slots = unsafe SharedStrings.freeSlots(1_024)
    /// Different for each table, so that nobody can choose texts that all collide. The output does not depend on it.
    private let seed = UInt64.random(in: .min ... .max)

    /// - Parameter capacity: the maximum size of strings, entries and hash slots together, in bytes; 0 shares nothing.
    init(capacity: Int) {
        self.capacity = capacity
    }

    deinit {
        unsafe entries.deallocate()
        unsafe slots.deallocate()
    }

    private static func freeSlots(_ count: Int) -> UnsafeMutableBufferPointer<Slot> {
        let slots = UnsafeMutableBufferPointer<Slot>.allocate(capacity: count)
        unsafe slots.initialize(repeating: .free)
        return unsafe slots
    }

    /// Returns the index of the text, and adds the text if there is space; -1 if the cell has to be inline.
    ///
    /// - Parameter text: at most `longest` bytes.
    @inline(__always)
    func index(of text: Span<UInt8>, use: inout ColumnUse) -> Int {
        let hash = hash(text)
        let mask = unsafe slots.count &- 1
        var place = Int(hash) & mask
        while true {
            let slot = unsafe slots[place]
            guard slot.index >= 0 else { break }
            if slot.hash == hash, matches(Int(slot.index), text) {
                use.record(wasNew: false)
                return Int(slot.index)
            }
            place = (place &+ 1) & mask
        }
        use.record(wasNew: true)
        return add(text, hash: hash, place: place)
    }

    @inline(never)
    private func add(_ text: Span<UInt8>, hash: UInt32, place: Int) -> Int {
        let slotsNeeded = unsafe (count + 1) * 2 > slots.count ? slots.count * 2 : slots.count
        let size =
            arena.count + text.count + (count + 1) * MemoryLayout<Entry>.stride + slotsNeeded * MemoryLayout<Slot>.stride
        guard size <= capacity else { return -1 }
        // A text that had to be changed stays inline, so that each cell with such a text is counted.
        scratch.removeAll()
        guard CellText.append(text, to: scratch).isEmpty else { return -1 }
        if unsafe count == entries.count { growEntries() }
        unsafe entries.initializeElement(at: count, to: Entry(offset: UInt32(arena.count), length: UInt32(text.count)))
        arena.append(text)
        unsafe slots[place] = Slot(hash: hash, index: Int32(count))
        count += 1
        if unsafe count * 2 > slots.count { rehash() }
        return count - 1
    }

    private func growEntries() {
        let larger = UnsafeMutableBufferPointer<Entry>.allocate(capacity: count * 2)
        _ = unsafe larger.moveInitialize(fromContentsOf: entries)
        unsafe entries.deallocate()
        unsafe entries = larger
    }

    private func rehash() {
        let old = unsafe slots
        unsafe slots = Self.freeSlots(old.count * 2)
        let mask = unsafe slots.count - 1
        for index in old.indices {
            let slot = unsafe old[index]
            guard slot.index >= 0 else { continue }
            var place = Int(slot.hash) & mask
            while unsafe slots[place].index >= 0 { place = (place + 1) & mask }
            unsafe slots[place] = slot
        }
        unsafe old.deallocate()
    }

    @inline(__always)
    private func matches(_ index: Int, _ text: Span<UInt8>) -> Bool {
        let entry = unsafe entries[index]
        guard Int(entry.length) == text.count else { return false }
        // SAFETY: the arena contains the bytes of each entry, and does not change during the comparison.
        let stored = unsafe Span<UInt8>(
            _unsafeStart: arena.address(at: Int(entry.offset)).assumingMemoryBound(to: UInt8.self), count: text.count)
        if text.count >= 8 {
            var at = 0
            while at &+ 8 < text.count {
                if stored.word(at) != text.word(at) { return false }
                at &+= 8
            }
            return stored.word(text.count &- 8) == text.word(text.count &- 8)
        }
        return stored.shortWord == text.shortWord
    }

    /// Folded 128-bit products of eight bytes at a time; the last eight bytes may overlap the previous ones.
    @inline(__always)
    private func hash(_ text: Span<UInt8>) -> UInt32 {
        @inline(__always) func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        var hash = seed ^ UInt64(truncatingIfNeeded: text.count)
        if text.count >= 8 {
            var at = 0
            while at &+ 8 < text.count {
                hash = fold(hash ^ text.word(at))
                at &+= 8
            }
            hash = fold(hash ^ text.word(text.count &- 8))
        } else {
            hash = fold(hash ^ text.shortWord)
        }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// Writes the part, and calls `flush` each time the buffer has the size of a block.
    ///
    /// - Parameter references: the number of cells that refer to the table, for the `count` attribute.
    func write(references: Int, to output: OutputBuffer, flush: () throws -> Void) rethrows {
        output.append(XMLParts.declaration)
        output.append(
            "<sst xmlns=\"\(XMLParts.main)\" count=\"\(references)\" uniqueCount=\"\(count)\">")
        for index in 0..<count {
            let entry = unsafe entries[index]
            arena.withBytes { bytes in
                let text = bytes.extracting(Int(entry.offset)..<(Int(entry.offset) + Int(entry.length)))
                output.append(literal: CellText.needsSpacePreserved(text) ? "<si><t xml:space=\"preserve\">" : "<si><t>")
                _ = CellText.append(text, to: output)
                output.append(literal: "</t></si>")
            }
            if output.count >= ZipWriter.blockSize { try flush() }
        }
        output.append("</sst>")
    }
}

// SAFETY: words of the hot loops above, which read only offsets that lie below the count.
extension Span<UInt8> {
    /// Eight bytes from an offset on, which the span has.
    @inline(__always)
    fileprivate func word(_ at: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: at, as: UInt64.self)
    }

    /// Up to seven bytes as a number. Together with the length it identifies the text.
    @inline(__always)
    fileprivate var shortWord: UInt64 {
        if count >= 4 {
            return unsafe UInt64(bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt32.self))
                | UInt64(bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: count &- 4, as: UInt32.self)) << 32
        }
        guard count > 0 else { return 0 }
        return UInt64(self[0]) | UInt64(self[count >> 1]) << 8 | UInt64(self[count &- 1]) << 16
    }
}
