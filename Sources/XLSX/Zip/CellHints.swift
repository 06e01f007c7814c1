/// Where the texts of a sheet's cells are in its XML. Everything between two texts is the writer's own: the end of one cell and the
/// begin of the next.
///
/// The row writer appends a hint for each cell that it writes, and the hints travel with the bytes to ``TemplateDeflater``. A wrong
/// hint costs speed or size, never bytes, because the compressor compares the bytes of each match.
///
/// SAFETY: this object alone owns the memory, which has room for `capacity` hints. The first `count` are initialized.
@safe package final class CellHints {
    /// The text of one cell.
    package struct Hint {
        /// What surrounds the text.
        package enum Form: UInt8 {
            /// An inline string.
            case inline
            /// An inline string whose white space is preserved.
            case preserved
            /// The index of a shared string.
            case shared
            /// The number of a day.
            case date
        }

        fileprivate let bits: UInt64

        /// A hint.
        ///
        /// - Parameters:
        ///   - start: the offset of the text's first byte in the block, below 16 MiB.
        ///   - count: the bytes of the text, below 256 KiB.
        ///   - column: from 0, below 16,384.
        @inline(__always)
        package init(start: Int, count: Int, column: Int, form: Form) {
            let place = UInt64(truncatingIfNeeded: start & 0xFF_FFFF | (count & 0x3_FFFF) << 24)
            bits = place | UInt64(truncatingIfNeeded: column & 0x3FFF) << 42 | UInt64(form.rawValue) << 56
        }

        fileprivate init(bits: UInt64) {
            self.bits = bits
        }

        @inline(__always) var start: Int { Int(truncatingIfNeeded: bits & 0xFF_FFFF) }
        @inline(__always) var count: Int { Int(truncatingIfNeeded: bits >> 24 & 0x3_FFFF) }
        @inline(__always) var column: Int { Int(truncatingIfNeeded: bits >> 42 & 0x3FFF) }
        /// The number of the ``Form``.
        @inline(__always) var form: Int { Int(truncatingIfNeeded: bits >> 56 & 3) }
    }

    private(set) var count = 0
    private var capacity = 0
    private var base: UnsafeMutablePointer<UInt64>

    /// No hints.
    package init() {
        unsafe base = .allocate(capacity: 0)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// Adds a hint.
    @inline(__always)
    package func append(_ hint: Hint) {
        if count == capacity { grow() }
        unsafe base[count] = hint.bits
        count &+= 1
    }

    @inline(never)
    private func grow() {
        let larger = max(capacity * 2, 512)
        let moved = UnsafeMutablePointer<UInt64>.allocate(capacity: larger)
        unsafe moved.update(from: base, count: count)
        unsafe base.deallocate()
        unsafe base = moved
        capacity = larger
    }

    /// A hint below the count.
    @inline(__always)
    subscript(index: Int) -> Hint {
        precondition(index >= 0 && index < count)
        return unsafe Hint(bits: base[index])
    }

    /// Forgets the hints and keeps the memory.
    func removeAll() {
        count = 0
    }

    /// Moves all hints, after bytes were put before theirs.
    func shift(by offset: Int) {
        for index in 0..<count {
            let hint = self[index]
            unsafe base[index] = hint.bits & ~0xFF_FFFF | UInt64(truncatingIfNeeded: (hint.start + offset) & 0xFF_FFFF)
        }
    }

    /// Exchanges the hints of two objects without copying them.
    func exchange(with other: CellHints) {
        unsafe (base, other.base) = (other.base, base)
        (count, other.count) = (other.count, count)
        (capacity, other.capacity) = (other.capacity, capacity)
    }

    /// Copies the hints of the texts from an offset on.
    func append(_ others: CellHints, from offset: Int) {
        var first = others.count
        while first > 0, others[first - 1].start >= offset { first -= 1 }
        for index in first..<others.count { append(others[index]) }
    }
}
