/// A point in time as callers write it: RFC 3339, years 0001 to 9999, up to nine digits of a second's part.
///
/// It is read without a `Double` and without a calendar of anybody's locale, so that no text is beyond what can be counted.
package enum RFC3339 {
    /// Every text that is a time matches it. Beyond it only the days of the month are counted.
    package static let pattern =
        "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
        + "(\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    /// Bytes of the shortest and the longest.
    package static let length = 20...35

    /// Microseconds since 1970-01-01 00:00 UTC, what is smaller cut off. A leap second is the one after it.
    ///
    /// - Returns: nil for what is no such time.
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

    private struct Reader {
        var rest: Substring.UTF8View

        mutating func take(_ words: Unicode.Scalar...) -> Bool {
            guard let byte = rest.first, words.contains(Unicode.Scalar(byte)) else { return false }
            rest.removeFirst()
            return true
        }

        /// So many digits.
        mutating func number(_ count: Int, in range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix(count)
            guard digits.count == count, let value = Self.value(digits), range.contains(value) else { return nil }
            rest = rest.dropFirst(count)
            return value
        }

        /// Microseconds; 0 where there is none.
        mutating func fraction() -> Int? {
            guard take(".") else { return 0 }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard (1...9).contains(digits.count), let value = Self.value(digits.prefix(6)) else { return nil }
            rest = rest.dropFirst(digits.count)
            return (digits.count..<max(6, digits.count)).reduce(value) { value, _ in value * 10 }
        }

        /// Minutes east of Greenwich.
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
