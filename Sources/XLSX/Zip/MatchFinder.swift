/// Finds the matches of a block (RFC 1951, section 4): of the writer's own parts of a sheet by hints, of texts by a hash table.
///
/// The part before a text, from the end of the text before it, occurs in a similar form in two places whose distances the hints
/// give: before the text of the same column one row before, with another row number; and before the last text of the same form in
/// the same row, with another column. Most parts are therefore two matches, which meet in the digits of the row number.
///
/// SAFETY: every load is of bytes from `first` on and below `end`. Sources of matches are checked against `first`, words against
/// `end`. The memory of ``MatchMemory`` has room for as many sequences as the block can have: each but the last one stands for at
/// least ``minLength`` or 255 bytes.
@safe struct MatchFinder {
    /// Shorter matches rarely take fewer bits than literals, and DEFLATE's own minimum is 3.
    static let minLength = 4
    /// The minimum of a match that the hash table finds, since its distance takes many bits.
    private static let minTextLength = 5
    /// The maximum length of a match.
    static let maxLength = 258
    /// The maximum distance of a match.
    static let maxDistance = 32 * 1024

    private let source: Source
    private let sequences: UnsafeMutablePointer<UInt32>
    private let frequencies: UnsafeMutablePointer<UInt32>
    private let heads: UnsafeMutablePointer<Int32>
    private let hashShift: UInt64
    private let rows: UnsafeMutablePointer<Int32>

    private(set) var count = 0
    /// The offset of the next byte that is neither in a match nor known to be a literal.
    private var at = 0
    /// The offset of the first literal after the last match.
    private var literals = 0

    /// - Parameter bytes: the window and the block, not both empty.
    init(_ bytes: UnsafeBufferPointer<UInt8>, window: Int, maxLength: Int, memory: MatchMemory) {
        guard let address = bytes.baseAddress else { preconditionFailure("no bytes") }
        source = unsafe Source(
            base: address + window, first: -window, end: bytes.count - window, maxLength: maxLength)
        unsafe sequences = memory.sequences
        unsafe frequencies = memory.frequencies
        unsafe heads = memory.heads
        hashShift = UInt64(64 - memory.hashBits)
        unsafe rows = memory.rows
    }

    // MARK: The block

    /// Finds the matches of the whole block.
    ///
    /// - Parameters:
    ///   - windowHints: hints of texts in the window, with offsets from `windowOrigin` on.
    mutating func run(_ hints: CellHints, windowHints: CellHints, windowOrigin: Int) {
        enterWindow(windowHints, windowOrigin)
        var previousEnd = 0
        var previousForm = Self.anyForm
        /// The last text of each form.
        var forms = InlineArray<4, Int>(repeating: Self.nowhere)
        for index in 0..<hints.count {
            let hint = hints[index]
            let start = hint.start
            let textEnd = start &+ hint.count
            guard start >= previousEnd, textEnd <= source.end else { continue }
            let row = Self.row(hint, after: previousForm)
            let anyRow = Self.row(hint, after: Self.anyForm)
            var rowDistance = start &- Int(unsafe rows[row])
            if rowDistance > Self.maxDistance { rowDistance = start &- Int(unsafe rows[anyRow]) }
            codeText(to: previousEnd, rowDistance)
            if at < start { codePart(from: previousEnd, to: start, rowDistance, start &- forms[hint.form]) }
            unsafe rows[row] = Int32(truncatingIfNeeded: start)
            unsafe rows[anyRow] = Int32(truncatingIfNeeded: start)
            forms[hint.form] = start
            previousEnd = textEnd
            previousForm = hint.form
        }
        self = searched(to: source.end)
        at = source.end
        endLiterals()
    }

    /// A place so far away that no distance to it is allowed.
    private static let nowhere = Int(Int32.min / 2)
    /// Stands for the form before a text if no text of the same column came after the same form.
    private static let anyForm = 4

    /// The place in `rows` of a text, for texts of the same column between the same parts. If there are more columns than places, they
    /// share places, and some distances are wrong.
    @inline(__always)
    private static func row(_ hint: CellHints.Hint, after previousForm: Int) -> Int {
        (hint.column & (MatchMemory.columns &- 1)) &* 20 &+ previousForm &* 4 &+ hint.form
    }

    /// Enters the texts of the window into the tables, as if they were coded.
    private mutating func enterWindow(_ hints: CellHints, _ origin: Int) {
        var previousForm = Self.anyForm
        for index in 0..<hints.count {
            let hint = hints[index]
            let start = hint.start - origin
            let textEnd = start + hint.count
            guard start >= source.first, textEnd <= 0 else { continue }
            unsafe rows[Self.row(hint, after: previousForm)] = Int32(truncatingIfNeeded: start)
            unsafe rows[Self.row(hint, after: Self.anyForm)] = Int32(truncatingIfNeeded: start)
            previousForm = hint.form
            var at = start
            while at &+ 8 <= textEnd {
                unsafe heads[hash(source.word(at))] = Int32(truncatingIfNeeded: at)
                at &+= 1
            }
        }
    }

    /// Codes the rest of a text: by the hash table, up to the bytes at its end that are equal in the row before and therefore become
    /// a part of the next match.
    @inline(__always)
    private mutating func codeText(to textEnd: Int, _ rowDistance: Int) {
        guard at < textEnd else { return }
        let shared = source.equalBytes(from: at, to: textEnd, rowDistance)
        search(to: textEnd &- shared &- 4)
        if at < textEnd &- shared { at = textEnd &- shared }
    }

    /// Codes the part before a text by two matches and, where both fail, literals.
    @inline(__always)
    private mutating func codePart(from previousEnd: Int, to start: Int, _ rowDistance: Int, _ cellDistance: Int) {
        guard rowDistance <= Self.maxDistance || cellDistance <= Self.maxDistance else {
            self = searched(to: start)
            if at < start { at = start }
            return
        }
        // A match that ran over the end of the text before probably ended in the row number.
        if at <= previousEnd, code(at: rowDistance), at >= start { return }
        // If the text begins as in the row before, one match is longer there than two are.
        var rowDigits = source.beginsEqually(start, rowDistance) ? Self.maxRowDigits : 0
        repeat {
            if rowDigits == 0 {
                if code(at: cellDistance) { continue }
            } else {
                rowDigits &-= 1
            }
            at &+= 1
            if at >= start { return }
            _ = code(at: rowDistance)
        } while at < start
    }

    /// Digits of a row number that usually differ at most from those of the row before.
    private static let maxRowDigits = 2

    /// Codes bytes by the hash table.
    @inline(__always)
    private mutating func search(to limit: Int) {
        let limit = min(limit, source.end &- 8)
        while at < limit {
            let word = source.word(at)
            let slot = hash(word)
            let candidate = Int(unsafe heads[slot])
            unsafe heads[slot] = Int32(truncatingIfNeeded: at)
            let distance = at &- candidate
            if distance <= Self.maxDistance, candidate >= source.first,
                UInt32(truncatingIfNeeded: source.word(candidate) ^ word) == 0
            {
                let length = source.matchLength(at, distance)
                if length >= Self.minTextLength {
                    emit(length, distance)
                    continue
                }
            }
            at &+= 1
        }
    }

    /// The same for the rare calls. It takes and gives a copy, so that the compiler can keep the original in registers.
    @inline(never)
    private consuming func searched(to limit: Int) -> MatchFinder {
        search(to: limit)
        return self
    }

    /// Of the first five bytes.
    @inline(__always)
    private func hash(_ word: UInt64) -> Int {
        Int(truncatingIfNeeded: ((word << 24) &* 0x9E37_79B9_7F4A_7C15) >> hashShift)
    }

    // MARK: Sequences

    /// Codes a match at a distance, if there is one.
    @inline(__always)
    private mutating func code(at distance: Int) -> Bool {
        guard source.has(at, distance) else { return false }
        let length = source.matchLength(at, distance)
        guard length >= Self.minLength else { return false }
        emit(length, distance)
        return true
    }

    @inline(__always)
    private mutating func emit(_ length: Int, _ distance: Int) {
        let literals = countLiterals()
        let match = UInt32(truncatingIfNeeded: (length &- 3) << 15 | (distance &- 1))
        unsafe sequences[count] = literals << 24 | MatchMemory.isMatch | match
        count &+= 1
        unsafe frequencies[MatchMemory.lengths &+ length &- 3] &+= 1
        unsafe frequencies[MatchMemory.distances &+ Int(DistanceCode(distance &- 1).symbol)] &+= 1
        at &+= length
        self.literals = at
    }

    /// Counts the literals since the last match, and returns how many of them the next sequence has.
    @inline(__always)
    private mutating func countLiterals() -> UInt32 {
        var place = literals
        while place < at {
            unsafe frequencies[source.byte(place)] &+= 1
            place &+= 1
        }
        var left = at &- literals
        while left > 255 {
            unsafe sequences[count] = 255 << 24
            count &+= 1
            left &-= 255
        }
        return UInt32(truncatingIfNeeded: left)
    }

    private mutating func endLiterals() {
        let left = countLiterals()
        unsafe sequences[count] = left << 24
        count += 1
        literals = at
    }

    /// The block, with the window at negative offsets. It never changes, so that the compiler can keep it in registers.
    ///
    /// SAFETY: the caller gives offsets below `end`, for words at least eight below it, and distances that ``has(_:_:)`` accepts.
    @safe private struct Source {
        let base: UnsafePointer<UInt8>
        let first: Int
        let end: Int
        /// Matches are cut to this length.
        let maxLength: Int

        @inline(__always)
        func byte(_ offset: Int) -> Int { Int(unsafe base[offset]) }

        @inline(__always)
        func word(_ offset: Int) -> UInt64 {
            unsafe UnsafeRawPointer(base + offset).loadUnaligned(as: UInt64.self)
        }

        /// Whether a match at this distance is allowed.
        @inline(__always)
        func has(_ offset: Int, _ distance: Int) -> Bool {
            distance > 0 && distance <= MatchFinder.maxDistance && offset &- distance >= first
        }

        /// The number of bytes from an offset on that are equal at a distance.
        @inline(__always)
        func matchLength(_ offset: Int, _ distance: Int) -> Int {
            let limit = min(maxLength, end &- offset)
            var length = 0
            while length < limit {
                guard offset &+ length &+ 8 <= end else { return slowMatchLength(offset, distance, from: length, limit) }
                let difference = word(offset &+ length) ^ word(offset &+ length &- distance)
                if difference != 0 { return min(length &+ difference.trailingZeroBitCount >> 3, limit) }
                length &+= 8
            }
            return limit
        }

        @inline(never)
        private func slowMatchLength(_ offset: Int, _ distance: Int, from start: Int, _ limit: Int) -> Int {
            var length = start
            while length < limit, byte(offset + length) == byte(offset + length - distance) { length += 1 }
            return length
        }

        /// The number of bytes before `end`, and not before `start`, that are equal at a distance.
        @inline(__always)
        func equalBytes(from start: Int, to end: Int, _ distance: Int) -> Int {
            guard has(start, distance) else { return 0 }
            var place = end
            while place &- start >= 8 {
                let difference = word(place &- 8) ^ word(place &- 8 &- distance)
                if difference != 0 { return end &- place &+ difference.leadingZeroBitCount >> 3 }
                place &-= 8
            }
            while place > start, byte(place &- 1) == byte(place &- 1 &- distance) { place &-= 1 }
            return end &- place
        }

        /// Whether four bytes are equal at a distance.
        @inline(__always)
        func beginsEqually(_ offset: Int, _ distance: Int) -> Bool {
            guard has(offset, distance), offset &+ 8 <= end else { return false }
            return UInt32(truncatingIfNeeded: word(offset) ^ word(offset &- distance)) == 0
        }
    }
}
