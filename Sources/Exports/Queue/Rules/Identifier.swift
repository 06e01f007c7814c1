private import Directory
private import Glibc

/// The id of a job.
package typealias JobID = Identifier<JobRecord>

/// The id of a worker. A worker has a new one after each start, so a dead process is never taken for a living one.
package typealias WorkerID = Identifier<WorkerRecord>

/// A UUID of version 7 (RFC 9562, section 5.7), so ids sort by the time of their creation.
///
/// The subject is the type of the row that the id names. Ids of different subjects are different types.
package struct Identifier<Subject>: Hashable, Sendable, CustomStringConvertible {
    /// 36 characters: lower-case hexadecimal digits and hyphens.
    package let description: String

    /// Makes a new id from the time in milliseconds (48 bits), the fraction of the millisecond (12 bits; RFC 9562, section 6.2,
    /// method 3) and 62 random bits. Ids that are made within one millisecond are in order, too.
    package init() {
        var now = timespec()
        // SAFETY: the system fills one structure.
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
        let fraction = UInt64(now.tv_nsec) % 1_000_000 * 4_096 / 1_000_000
        let high = milliseconds << 16 | 0x7000 | fraction
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF)
        description = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }.uuid
    }

    /// Reads a UUID of any version, in upper or lower case.
    package init?(_ text: String) {
        guard text.isUUID else { return nil }
        description = text.lowercased()
    }
}
