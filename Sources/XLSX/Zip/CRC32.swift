private import CCRC32
private import CZlib

/// CRC-32 (ISO 3309), as in ZIP.
enum CRC32 {
    /// Below this number of bytes, zlib alone is as fast.
    private static let minFolded = 128
    private static let canFold = ccrc32_can_fold()

    /// The CRC-32 of the bytes.
    ///
    /// SAFETY: C reads the bytes of the span, `folded` of them and then the rest, and writes the 16 bytes of the remainder.
    static func checksum(_ bytes: Span<UInt8>) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            guard canFold, bytes.count >= minFolded else { return unsafe UInt32(crc32_z(0, start, bytes.count)) }
            let folded = bytes.count & ~15
            return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { remainder in
                unsafe ccrc32_fold(start, folded, remainder.baseAddress)
                // zlib inverts the start value, and folding has used it already.
                let crc = unsafe crc32_z(0xFFFF_FFFF, remainder.baseAddress, 16)
                return unsafe UInt32(crc32_z(crc, start + folded, bytes.count - folded))
            }
        }
    }

    /// The CRC-32 of bytes with the first CRC-32, followed by `count` bytes with the second.
    static func combine(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
        UInt32(crc32_combine(UInt(first), UInt(second), count))
    }
}
