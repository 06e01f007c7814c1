private import Foundation

/// Times in statements: RFC 3339 in UTC with milliseconds, such as `2026-12-01T09:30:00.120Z`.
package enum EvidenceTime {
    /// - Parameter microseconds: since 1970, which must not be negative. The rest of a millisecond is left out.
    package static func text(microseconds: Int64) -> String {
        let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let fraction = String(rest / 1_000)
        let whole = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601).dropLast()
        return "\(whole).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)Z"
    }

    /// The present time.
    package static var now: String {
        text(microseconds: Int64(exactly: (Date().timeIntervalSince1970 * 1_000_000).rounded()) ?? 0)
    }
}
