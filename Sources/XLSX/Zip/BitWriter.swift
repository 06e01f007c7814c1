/// Packs numbers of some bits into bytes, from the least significant bit on (RFC 1951, 3.1.1).
///
/// SAFETY: `at` is in the room that the initializer has reserved in the output. The caller puts no more bits than fit there, and seven
/// bytes less than that: each flush stores eight bytes.
@safe struct BitWriter {
    private var at: UnsafeMutableRawPointer
    private var bits: UInt64 = 0
    /// The number of bits in `bits`; less than 8 after a flush.
    private var count: UInt64 = 0

    init(_ output: OutputBuffer, room: Int) {
        output.reserve(room + 8)
        unsafe at = output.end
    }

    /// Puts up to 32 bits and flushes.
    mutating func put(_ value: Int, _ bits: Int) {
        put(UInt64(value), UInt64(bits))
        flush()
    }

    /// Puts bits without a flush. There is room for 57 bits after one.
    @inline(__always)
    mutating func put(_ value: UInt64, _ bits: UInt64) {
        self.bits |= value &<< count
        count &+= bits
    }

    /// Puts a codeword whose number of bits is in the upper eight bits.
    @inline(__always)
    mutating func put(_ entry: UInt32) {
        put(UInt64(entry & 0xFF_FFFF), UInt64(entry >> 24))
    }

    @inline(__always)
    mutating func flush() {
        unsafe at.storeBytes(of: bits.littleEndian, as: UInt64.self)
        unsafe at += Int(truncatingIfNeeded: count >> 3)
        bits = bits &>> (count & ~7)
        count &= 7
    }

    /// Puts a stored block without bytes, which begins at any bit and ends at a byte.
    mutating func putEmptyStored() {
        put(0, 3)
        count = (count + 7) & ~7
        flush()
        put(0xFFFF_0000 as UInt64, 32)
        flush()
    }

    /// Fills the last byte with zeros and ends the output after it.
    mutating func finish(_ output: OutputBuffer) {
        count = (count + 7) & ~7
        flush()
        unsafe output.advance(to: at)
    }
}
