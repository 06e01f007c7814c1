import Testing

@testable import XLSX
import XLSXTestSupport

@Suite struct CRC32Tests {
    @Test("The CRC is zlib's, for each length and each alignment")
    func lengths() {
        var generator = Generator(seed: 5)
        let bytes = (0..<700).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        for count in 0...600 {
            for start in [0, 1, 7, 8, 15, 33] {
                let part = Array(bytes[start..<(start + count)])
                let found = CRC32.checksum(bytes.span.extracting(start..<(start + count)))
                #expect(found == Reference.crc32(part), "\(count) bytes at \(start)")
            }
        }
        let long = (0..<1_000_003).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        #expect(CRC32.checksum(long.span) == Reference.crc32(long))
        for byte in [0x00, 0xFF] as [UInt8] {
            let equal = [UInt8](repeating: byte, count: 4_096)
            #expect(CRC32.checksum(equal.span) == Reference.crc32(equal))
        }
    }

    @Test("The check value of CRC-32 is that of the catalogue, and two parts give the CRC of the whole")
    func values() {
        #expect(CRC32.checksum("123456789".utf8.span) == 0xCBF4_3926)
        var generator = Generator(seed: 6)
        let bytes = (0..<5_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        for cut in [0, 1, 16, 127, 128, 4_999, 5_000] {
            let first = CRC32.checksum(bytes.span.extracting(..<cut))
            let second = CRC32.checksum(bytes.span.extracting(cut...))
            #expect(CRC32.combine(first, second, count: 5_000 - cut) == CRC32.checksum(bytes.span))
        }
    }
}
