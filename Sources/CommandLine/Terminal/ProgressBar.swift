/// Turns the progress of a task with rows into text. A pure value: it is told the time and writes nothing.
package struct ProgressBar: Sendable {
    private static let barWidth = 24
    /// The rate is taken over this much of the past at most.
    private static let window: Duration = .seconds(5)

    private var samples: [(at: Duration, done: Int)] = []

    package init() {}

    /// Notes that so many rows were done at a time, counted from any fixed start.
    package mutating func record(done: Int, at time: Duration) {
        let done = max(0, done)
        // A run that starts anew begins at 0 again; what was measured of the old one is of no use.
        if let last = samples.last, done < last.done { samples.removeAll() }
        samples.append((time, done))
        while samples.count > 2, time - samples[1].at >= Self.window { samples.removeFirst() }
    }

    /// Rows per second, once there are two different times to tell it from.
    package var rate: Double? {
        guard let first = samples.first, let last = samples.last, last.at > first.at, last.done > first.done else {
            return nil
        }
        return Double(last.done - first.done) / ((last.at - first.at) / .seconds(1))
    }

    /// One line without its end, no wider than `columns`: bar, rows, rate and time left, the least important cut first.
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
