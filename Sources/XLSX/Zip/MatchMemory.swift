/// The memory of ``MatchFinder``, used again for each block and as large as the largest block needed.
///
/// A sequence is a number of literals and then a match, in 32 bits: eight for the number of literals, a bit that says whether a match
/// follows, eight for its length less 3, and fifteen for its distance less 1. The literals themselves are in the block.
///
/// SAFETY: this object alone owns its memory. `prepare` gives each pointer the room that its comment states, and initializes all but the
/// sequences.
@safe final class MatchMemory {
    /// The bit of a sequence that has a match.
    static let isMatch: UInt32 = 1 << 23
    /// Columns with places of their own in `rows`.
    static let columns = 256
    /// The offsets in `frequencies` of the numbers of lengths, by length less 3, and of symbols of distances. Literals come first.
    static let lengths = 256
    static let distances = 512
    private static let frequencyCount = 512 + 32
    private static let rowCount = columns * 20
    private static let hashBitRange = 9...13

    /// As many as a block can have.
    private(set) var sequences = UnsafeMutablePointer<UInt32>.allocate(capacity: 0)
    /// 544 numbers.
    let frequencies = UnsafeMutablePointer<UInt32>.allocate(capacity: frequencyCount)
    /// The last offset of each hash; 2^`hashBits` numbers.
    private(set) var heads = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    private(set) var hashBits = 0
    /// The offset of the last text of each column and form after each form, and after any; `columns` times 20 numbers.
    let rows = UnsafeMutablePointer<Int32>.allocate(capacity: rowCount)
    private var sequenceCapacity = 0

    deinit {
        unsafe sequences.deallocate()
        unsafe frequencies.deallocate()
        unsafe heads.deallocate()
        unsafe rows.deallocate()
    }

    /// Empties the tables for a block of so many bytes.
    func prepare(for byteCount: Int) {
        let needed = byteCount / MatchFinder.minLength + byteCount / 255 + 2
        if needed > sequenceCapacity {
            unsafe sequences.deallocate()
            unsafe sequences = .allocate(capacity: needed)
            sequenceCapacity = needed
        }
        // An eighth of the bytes are texts.
        let bits = min(
            max(Int.bitWidth - (byteCount / 8).leadingZeroBitCount, Self.hashBitRange.lowerBound),
            Self.hashBitRange.upperBound)
        if bits != hashBits {
            unsafe heads.deallocate()
            unsafe heads = .allocate(capacity: 1 << bits)
            hashBits = bits
        }
        unsafe heads.initialize(repeating: Int32.min / 2, count: 1 << bits)
        unsafe rows.initialize(repeating: Int32.min / 2, count: Self.rowCount)
        unsafe frequencies.initialize(repeating: 0, count: Self.frequencyCount)
    }
}
