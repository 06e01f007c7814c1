/// A day of the proleptic Gregorian calendar, from a count of days.
struct CivilDate {
    let year: Int
    let month: Int
    let day: Int

    /// - Parameter days: days since 1970-01-01. The arithmetic is Howard Hinnant's `civil_from_days`.
    init(daysSince1970 days: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `yyyy-mm-dd`, with more digits or a sign if the year needs them.
    var iso8601: String {
        let digits = String(abs(year))
        let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return "\(year < 0 ? "-" : "")\(padded)-\(Self.two(month))-\(Self.two(day))"
    }

    /// `yyyy-mm-ddThh:mm:ssZ` of a point in time.
    static func iso8601(secondsSince1970 seconds: Int) -> String {
        // Integers only: rounding needs libm, to which a program without Foundation does not link.
        let day = seconds / 86_400 - (seconds % 86_400 < 0 ? 1 : 0)
        let rest = seconds - day * 86_400
        return text(daysSince1970: day, second: rest, separator: "T") + "Z"
    }

    /// `yyyy-mm-dd`, the separator and `hh:mm:ss`.
    static func text(daysSince1970 days: Int, second: Int, separator: String) -> String {
        CivilDate(daysSince1970: days).iso8601
            + "\(separator)\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    }

    private static func two(_ value: Int) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }
}
