/// A length as a symbol and extra bits (RFC 1951, 3.2.5).
struct LengthCode {
    let symbol: Int
    let extra: Int
    let extraBits: Int

    /// - Parameter length: the length less 3, below 256.
    init(_ length: Int) {
        if length < 8 {
            (symbol, extra, extraBits) = (257 + length, 0, 0)
        } else if length == 255 {
            (symbol, extra, extraBits) = (285, 0, 0)
        } else {
            extraBits = Int.bitWidth - 3 - length.leadingZeroBitCount
            symbol = 261 + 4 * extraBits + (length >> extraBits & 3)
            extra = length & (1 << extraBits - 1)
        }
    }

    static func extraBits(ofSymbol symbol: Int) -> Int {
        symbol < 265 || symbol == 285 ? 0 : (symbol - 261) / 4
    }
}

/// A distance as a symbol and extra bits (RFC 1951, 3.2.5).
struct DistanceCode {
    let symbol: UInt32
    let extraBits: UInt32
    let extra: UInt32

    /// - Parameter distance: one less than the distance, below 32 Ki.
    @inline(__always)
    init(_ distance: Int) {
        let distance = UInt32(truncatingIfNeeded: distance)
        extraBits = UInt32(truncatingIfNeeded: 30 &- (distance | 2).leadingZeroBitCount)
        symbol = 2 &* extraBits &+ distance >> extraBits
        extra = distance & (1 << extraBits &- 1)
    }
}
