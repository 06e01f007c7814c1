@testable import JSONRPC
import Testing

@Suite struct StallDetectorTests {
    private static let start = ContinuousClock.now

    private static func detector(partialLine: Int = 10, unreadOutput: Int = 40) -> StallDetector {
        StallDetector(partialLine: .seconds(partialLine), unreadOutput: .seconds(unreadOutput))
    }

    private static func second(_ number: Int) -> ContinuousClock.Instant { start + .seconds(number) }

    @Test("Without an unfinished line and without output, the detector checks nothing")
    func idle() {
        var detector = Self.detector()
        #expect(!detector.isWaiting && detector.nextCheck(after: Self.start) == nil)
        detector.received(isLineComplete: true, isWithinLine: false, at: Self.start)
        detector.outputBegan(at: Self.start)
        detector.outputTaken()
        #expect(!detector.isWaiting && detector.nextCheck(after: Self.start) == nil)
        #expect(detector.check(unread: 100, at: Self.second(1_000)) == nil)
    }

    @Test("A line that is unfinished at the time limit is a stall, even if further bytes of it arrive")
    func line() {
        var detector = Self.detector()
        detector.received(isLineComplete: false, isWithinLine: true, at: Self.start)
        for second in 1...9 {
            detector.received(isLineComplete: false, isWithinLine: true, at: Self.second(second))
            #expect(detector.check(unread: 0, at: Self.second(second)) == nil)
        }
        #expect(detector.nextCheck(after: Self.second(9)) == Self.second(10))
        #expect(detector.check(unread: 0, at: Self.second(10)) == .unfinishedLine)
    }

    @Test("A line that begins after a complete one has the whole time limit")
    func nextLine() {
        var detector = Self.detector()
        detector.received(isLineComplete: false, isWithinLine: true, at: Self.start)
        detector.received(isLineComplete: true, isWithinLine: true, at: Self.second(9))
        #expect(detector.check(unread: 0, at: Self.second(18)) == nil)
        #expect(detector.check(unread: 0, at: Self.second(19)) == .unfinishedLine)
    }

    @Test("The time limit of a line does not run while the reader waits, and restarts afterwards")
    func waitingReader() {
        var detector = Self.detector()
        detector.received(isLineComplete: false, isWithinLine: true, at: Self.start)
        detector.readerWaits(true, at: Self.second(5))
        #expect(!detector.isWaiting && detector.check(unread: 0, at: Self.second(100)) == nil)
        detector.readerWaits(false, at: Self.second(100))
        #expect(detector.isWaiting && detector.check(unread: 0, at: Self.second(109)) == nil)
        #expect(detector.check(unread: 0, at: Self.second(110)) == .unfinishedLine)
    }

    @Test("A peer that reads nothing stalls at the time limit; a peer that sometimes reads a part of a piece does not")
    func output() {
        var silent = Self.detector()
        silent.outputBegan(at: Self.start)
        var slow = silent
        // The peer may have read until the first check.
        for second in stride(from: 10, to: 50, by: 10) {
            #expect(silent.check(unread: 100_000, at: Self.second(second)) == nil)
        }
        #expect(silent.check(unread: 100_000, at: Self.second(50)) == .notReading)
        for round in 1...100 {
            #expect(slow.check(unread: 100_000 - round, at: Self.second(30 * round)) == nil)
        }
        #expect(slow.check(unread: 99_900, at: Self.second(3_039)) == nil)
        #expect(slow.check(unread: 99_900, at: Self.second(3_040)) == .notReading)
    }

    @Test("Each piece of output has the whole time limit, whatever was unread before")
    func pieces() {
        var detector = Self.detector()
        detector.outputBegan(at: Self.start)
        #expect(detector.check(unread: 10, at: Self.second(39)) == nil)
        detector.outputTaken()
        detector.outputBegan(at: Self.second(39))
        #expect(detector.check(unread: 50, at: Self.second(78)) == nil)
        #expect(detector.check(unread: 50, at: Self.second(117)) == nil)
        #expect(detector.check(unread: 50, at: Self.second(118)) == .notReading)
    }

    @Test(
        "One timer is enough: a later event is due at or after the check that was planned before it",
        arguments: [(10, 40), (40, 10), (1, 1), (10, 30)])
    func oneTimer(_ partialLine: Int, _ unreadOutput: Int) throws {
        var detector = Self.detector(partialLine: partialLine, unreadOutput: unreadOutput)
        detector.outputBegan(at: Self.start)
        let planned = try #require(detector.nextCheck(after: Self.start))
        detector.received(isLineComplete: false, isWithinLine: true, at: Self.start)
        #expect(try #require(detector.nextCheck(after: Self.start)) >= planned)
        detector.outputTaken()
        detector.received(isLineComplete: true, isWithinLine: true, at: Self.start)
        let line = try #require(detector.nextCheck(after: Self.start))
        detector.outputBegan(at: Self.start)
        #expect(try #require(detector.nextCheck(after: Self.start)) >= line)
    }
}
