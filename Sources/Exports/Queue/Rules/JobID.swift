private import Glibc

/// A job's id: a UUID of version 7 (RFC 9562, 5.7), so that ids sort by time of creation.
package struct JobID: Hashable, Sendable, CustomStringConvertible {
    /// Lower-case, with hyphens.
    package let description: String

    /// Makes a new one: 48 bits of time in milliseconds, 12 bits of the millisecond's part (RFC 9562, 6.2, method 3), so that
    /// what was asked for first is first also within one, and 62 random bits.
    package init() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
        let fraction = UInt64(now.tv_nsec) % 1_000_000 * 4_096 / 1_000_000
        var random = SystemRandomNumberGenerator()
        let high = milliseconds << 16 | 0x7000 | fraction
        let low = 0x8000_0000_0000_0000 | random.next() & 0x3FFF_FFFF_FFFF_FFFF
        let digits = Self.hexadecimal(high) + Self.hexadecimal(low)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        description = text
    }

    /// Reads one that a caller sent: 36 characters, hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        for (index, byte) in bytes.enumerated() {
            let isHyphen = [8, 13, 18, 23].contains(index)
            let isDigit =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
            guard isHyphen ? byte == UInt8(ascii: "-") : isDigit else { return nil }
        }
        description = text.lowercased()
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
