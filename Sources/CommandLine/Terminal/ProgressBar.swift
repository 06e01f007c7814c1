/// Formats the progress of an export as text. A pure value: the time is a parameter.
package struct ProgressBar: Sendable {
    private static let barWidth = 24
    /// The rate is measured over at most this time.
    private static let window: Duration = .seconds(5)

    private var samples: [(at: Duration, done: Int)] = []

    /// A bar without samples.
    package init() {}

    /// Records the number of rows that were done at a time, measured from any fixed start.
    package mutating func record(done: Int, at time: Duration) {
        let done = max(0, done)
        // A new attempt begins at 0, so the samples of the last one do not count.
        if let last = samples.last, done < last.done { samples.removeAll() }
        samples.append((time, done))
        while samples.count > 2, time - samples[1].at >= Self.window { samples.removeFirst() }
    }

    /// Rows per second; nil until there are samples of two different times.
    package var rate: Double? {
        guard let first = samples.first, let last = samples.last, last.at > first.at, last.done > first.done else {
            return nil
        }
        return Double(last.done - first.done) / ((last.at - first.at) / .seconds(1))
    }

    /// One line without a line feed, at most `columns` wide: bar, rows, rate and time left. The last parts are left out first.
    package func line(label: TerminalText, total: Int?, columns: Int) -> TerminalText {
        let done = samples.last?.done ?? 0
        var parts: [TerminalText] = [label]
        if let total, total > 0 {
            let share = min(1, Double(done) / Double(total))
            let filled = Int(saturating: share * Double(Self.barWidth))
            parts.append(
                "[" + TerminalText(repeating: "#", count: filled)
                    + TerminalText(repeating: "-", count: Self.barWidth - filled)
                    + "]")
            parts.append("\(Int(saturating: share * 100)) %")
            parts.append("\(Self.grouped(done)) of \(Self.grouped(total)) rows")
        } else if done > 0 {
            parts.append("\(Self.grouped(done)) rows")
        }
        if let rate {
            parts.append("\(Self.grouped(Int(saturating: rate))) rows/s")
            if let total, total > done { parts.append("\(Self.time(Double(total - done) / rate)) left") }
        }
        while parts.count > 1, parts.joined(separator: "  ").width > columns { parts.removeLast() }
        return parts.joined(separator: "  ").prefix(columns: columns)
    }

    /// `1,234,567`
    package static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3), digits[index - 1] != "-" { result.append(",") }
            result.append(digit)
        }
        return result
    }

    private static func time(_ seconds: Double) -> String {
        let whole = Int(saturating: seconds.rounded(.up))
        return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
    }
}

extension Int {
    /// The whole part of a number from outside; the nearest bound if it is too large, 0 if it is not a number.
    ///
    /// `Int(_:)` ends the program for all of these. The bounds are ±(2^53 − 1), so that two of them can be added and subtracted.
    package init(saturating number: Double) {
        let bound = 9_007_199_254_740_991.0
        self = number.isNaN ? 0 : Int(exactly: Swift.min(Swift.max(number, -bound), bound).rounded(.towardZero)) ?? 0
    }
}
