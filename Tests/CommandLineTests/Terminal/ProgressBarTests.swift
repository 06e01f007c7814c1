import CommandLine
import Testing

@Suite struct ProgressBarTests {
    @Test(
        "The line shows rows, rate and time left, and fits into the terminal's width",
        arguments: [10, 20, 40, 60, 80, 200])
    func line(_ columns: Int) {
        var bar = ProgressBar()
        bar.record(done: 0, at: .seconds(0))
        bar.record(done: 250_000, at: .seconds(2))
        let line = bar.line(label: "Exporting", total: 1_000_000, columns: columns)
        #expect(line.width <= columns)
        #expect(line.string.hasPrefix("Exporting".prefix(columns)))
        if columns == 200 {
            #expect(
                line.string
                    == "Exporting  [######------------------]  25 %  250,000 of 1,000,000 rows  125,000 rows/s  6 s left")
        }
    }

    @Test(
        "A line is shown for any numbers that a service reports",
        arguments: [
            (0, Int.max), (Int.min, Int.max), (Int.max, 1), (5, -5), (Int.max, Int.max), (-1, 10), (Int.min, Int.min),
        ])
    func extremes(_ done: Int, _ total: Int) {
        var bar = ProgressBar()
        bar.record(done: Int.min, at: .seconds(0))
        bar.record(done: done, at: .nanoseconds(1))
        #expect(bar.line(label: "Exporting", total: total, columns: 80).string.hasPrefix("Exporting"))
        var slow = ProgressBar()
        slow.record(done: 1, at: .seconds(0))
        slow.record(done: 2, at: .seconds(1_000_000_000))
        #expect(slow.line(label: "Exporting", total: total, columns: 200).string.hasPrefix("Exporting"))
    }

    @Test("When an attempt restarts at row 0, the rate is measured again")
    func restart() {
        var bar = ProgressBar()
        bar.record(done: 500, at: .seconds(1))
        bar.record(done: 1_000, at: .seconds(2))
        bar.record(done: 0, at: .seconds(3))
        #expect(bar.rate == nil)
        bar.record(done: 10, at: .seconds(4))
        #expect(bar.rate == 10)
    }

    @Test(
        "Numbers are grouped by thousands", arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")])
    func grouped(_ number: Int, _ text: String) {
        #expect(ProgressBar.grouped(number) == text)
    }

    @Test("A label of wide characters is cut to the terminal's columns")
    func wide() {
        #expect(ProgressBar().line(label: "\("輸出中")", total: nil, columns: 5).string == "輸出")
    }
}
