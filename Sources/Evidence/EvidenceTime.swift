private import Foundation

/// Times in statements: RFC 3339 in UTC.
package enum EvidenceTime {
    /// With milliseconds, such as `2026-12-01T09:30:00.120Z`. The rest is left out.
    ///
    /// - Parameter microseconds: since 1970. An earlier time becomes 1970.
    package static func text(microseconds: Int) -> String {
        let microseconds = max(microseconds, 0)
        return text(seconds: microseconds / 1_000_000, fraction: microseconds / 1_000 % 1_000, digits: 3)
    }

    /// With microseconds, such as `2026-12-01T09:30:00.120007Z`. The order of such texts is that of the times.
    ///
    /// - Parameter microseconds: since 1970. An earlier time becomes 1970.
    package static func exactText(microseconds: Int) -> String {
        let microseconds = max(microseconds, 0)
        return text(seconds: microseconds / 1_000_000, fraction: microseconds % 1_000_000, digits: 6)
    }

    /// Reads a text of ``exactText(microseconds:)``: microseconds since 1970; nil for any other text.
    package static func microseconds(exact text: String) -> Int? {
        guard let date = try? Date(text.prefix(19) + "Z", strategy: .iso8601),
            let seconds = Int(exactly: date.timeIntervalSince1970), let fraction = Int(text.dropFirst(20).prefix(6))
        else { return nil }
        let microseconds = seconds * 1_000_000 + fraction
        return microseconds >= 0 && exactText(microseconds: microseconds) == text ? microseconds : nil
    }

    /// The present time, with milliseconds.
    package static var now: String {
        text(microseconds: Int(exactly: (Date().timeIntervalSince1970 * 1_000_000).rounded()) ?? 0)
    }

    private static func text(seconds: Int, fraction: Int, digits: Int) -> String {
        let fraction = String(fraction)
        let whole = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601).dropLast()
        return "\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)Z"
    }
}
