private import Directory
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
        description = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }.uuid
    }

    /// Reads an id that a caller sent, in upper or lower case.
    package init?(_ text: String) {
        guard text.isUUID else { return nil }
        description = text.lowercased()
    }
}
