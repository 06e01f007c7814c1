/// Points in time as text: RFC 3339, years 0001 to 9999.
///
/// Reading and writing use integers only, no `Double` and no calendar of a locale, so no text and no time can overflow. XLSX, which
/// depends on nothing of ours, has the same calendar arithmetic in its `CivilDate`.
package enum RFC3339 {
    /// Every valid time matches this pattern. The only further rule is the number of days of a month.
    package static let pattern =
        "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
        + "(\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    /// The smallest and the largest number of bytes of a time.
    package static let length = 20...35

    /// Reads a time: microseconds since 1970-01-01 00:00 UTC, cut to whole microseconds. A leap second counts as the second after it.
    ///
    /// - Returns: nil for a text that is not such a time.
    package static func microseconds(_ text: String) -> Int? {
        guard length.contains(text.utf8.count) else { return nil }
        var reader = Reader(rest: text.utf8[...])
        guard let year = reader.number(4, in: 1...9_999), reader.take("-"), let month = reader.number(2, in: 1...12),
            reader.take("-"), let day = reader.number(2, in: 1...days(in: month, year)), reader.take("T", "t"),
            let hour = reader.number(2, in: 0...23), reader.take(":"), let minute = reader.number(2, in: 0...59),
            reader.take(":"), let second = reader.number(2, in: 0...60), let fraction = reader.fraction(),
            let offset = reader.offset(), reader.rest.isEmpty
        else { return nil }
        let minutes = (daysSince1970(year, month, day) * 24 + hour) * 60 + minute - offset
        return (minutes * 60 + second) * 1_000_000 + fraction
    }

    /// Writes a time in UTC, cut to whole milliseconds. A time outside of the years 0001 to 9999 becomes the first or the last time of them.
    ///
    /// - Parameter microseconds: since 1970-01-01 00:00 UTC.
    package static func text(microseconds: Int64) -> String {
        let first = -62_135_596_800_000
        let last = 253_402_300_799_999
        let whole = Int(microseconds / 1_000) - (microseconds % 1_000 < 0 ? 1 : 0)
        let milliseconds = min(max(whole, first), last)
        // Howard Hinnant's `civil_from_days`, for years from 1 on: the era begins on 0000-03-01.
        let sinceEra = milliseconds + 719_468 * 86_400_000
        let (days, rest) = sinceEra.quotientAndRemainder(dividingBy: 86_400_000)
        let (era, dayOfEra) = days.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        var text: [UInt8] = []
        text.reserveCapacity(24)
        func append(_ value: Int, digits: Int, _ end: Unicode.Scalar) {
            var power = digits == 4 ? 1_000 : digits == 3 ? 100 : 10
            while power > 0 {
                text.append(UInt8(ascii: "0") + UInt8(value / power % 10))
                power /= 10
            }
            text.append(UInt8(ascii: end))
        }
        append(era * 400 + yearOfEra + (month <= 2 ? 1 : 0), digits: 4, "-")
        append(month, digits: 2, "-")
        append(dayOfYear - (153 * shifted + 2) / 5 + 1, digits: 2, "T")
        append(rest / 3_600_000, digits: 2, ":")
        append(rest / 60_000 % 60, digits: 2, ":")
        append(rest / 1_000 % 60, digits: 2, ".")
        append(rest % 1_000, digits: 3, "Z")
        return String(decoding: text, as: UTF8.self)
    }

    private struct Reader {
        var rest: Substring.UTF8View

        mutating func take(_ expected: Unicode.Scalar...) -> Bool {
            guard let byte = rest.first, expected.contains(Unicode.Scalar(byte)) else { return false }
            rest.removeFirst()
            return true
        }

        /// The value of the next so many digits.
        mutating func number(_ count: Int, in range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix(count)
            guard digits.count == count, let value = Self.value(digits), range.contains(value) else { return nil }
            rest = rest.dropFirst(count)
            return value
        }

        /// Microseconds; 0 if there is no fraction.
        mutating func fraction() -> Int? {
            guard take(".") else { return 0 }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard (1...9).contains(digits.count), let value = Self.value(digits.prefix(6)) else { return nil }
            rest = rest.dropFirst(digits.count)
            return (digits.count..<max(6, digits.count)).reduce(value) { value, _ in value * 10 }
        }

        /// Minutes east of UTC.
        mutating func offset() -> Int? {
            if take("Z", "z") { return 0 }
            let isWest = rest.first == UInt8(ascii: "-")
            guard take("+", "-"), let hours = number(2, in: 0...23), take(":"), let minutes = number(2, in: 0...59) else {
                return nil
            }
            return (hours * 60 + minutes) * (isWest ? -1 : 1)
        }

        private static func value(_ digits: some Sequence<UInt8>) -> Int? {
            var value = 0
            for byte in digits {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte & 0x0F)
            }
            return value
        }
    }

    private static func days(in month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Howard Hinnant's `days_from_civil`, for years from 1 on.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }
}
