import Archive
import Testing

@testable import Exports

@Suite struct DiskScheduleTests {
    private static let noAnswer = ArchiveError(.storageFailed, "the archives' disk does not answer")
    private let begin = ContinuousClock.now

    private static var schedule: DiskSchedule {
        var limits = DiskSchedule.Limits()
        (limits.perUser, limits.users, limits.perFile, limits.perPart, limits.waitingPerThread) = (2, 3, 2, 1, 1)
        return DiskSchedule(limits: limits)
    }

    @Test("A lane runs at most its limit of calls, and waiting calls start in order")
    func threads() throws {
        var schedule = Self.schedule
        for (number, file) in ["a", "b"].enumerated() {
            #expect(try schedule.submit(number, .user(1), file, at: begin))
        }
        #expect(try !schedule.submit(2, .user(1), "c", at: begin))
        #expect(try !schedule.submit(3, .user(1), "d", at: begin))
        #expect(throws: TooManyFileOperations.self) { _ = try schedule.submit(4, .user(1), "e", at: begin) }
        #expect(try schedule.submit(5, .user(2), "f", at: begin))
        // Three calls of users run, which is the limit of all users together. A part of the service has its own thread.
        #expect(try !schedule.submit(6, .user(3), "g", at: begin))
        #expect(try schedule.submit(7, .sweep, "a", at: begin))
        #expect(try !schedule.submit(8, .sweep, "b", at: begin))
        #expect(schedule.end(0, at: begin) == [2])
        #expect(schedule.withdraw(3) && !schedule.withdraw(3))
        #expect(schedule.end(1, at: begin) == [6])
        #expect(schedule.end(7, at: begin) == [8])
        for number in [2, 5, 6, 8] { #expect(schedule.end(number, at: begin) == []) }
        #expect(schedule.isIdle && schedule.waitingCount == 0)
    }

    @Test("A call that times out fails and keeps its thread, and its file fails at once for other callers")
    func timeouts() throws {
        var schedule = Self.schedule
        #expect(try schedule.submit(0, .user(1), "hung", at: begin))
        #expect(try schedule.submit(1, .user(2), "hung", at: begin))
        #expect(try !schedule.submit(2, .user(3), "hung", at: begin + .seconds(5)))
        #expect(schedule.overdue(at: begin + .seconds(9)).isEmpty)
        let later = begin + .seconds(10)
        let overdue = schedule.overdue(at: later)
        #expect(
            overdue.map(\.number).sorted() == [0, 1, 2] && overdue.allSatisfy { $0.error as? ArchiveError == Self.noAnswer })
        #expect(overdue.filter(\.isWaiting).map(\.number) == [2])
        #expect(schedule.stuck(at: later + .seconds(1)) == 2)
        #expect(throws: Self.noAnswer) { _ = try schedule.submit(3, .user(3), "hung", at: later) }
        #expect(try schedule.submit(4, .user(3), "good", at: later))
        // A part of the service has a longer timeout, and only its own calls make a file fail for it.
        #expect(try schedule.submit(5, .sweep, "hung", at: later))
        #expect(schedule.end(0, at: later) == [] && schedule.end(1, at: later) == [])
        #expect(try schedule.submit(6, .user(1), "hung", at: later))
    }

    @Test("A call that gets no thread in time is refused")
    func refused() throws {
        var schedule = Self.schedule
        for (number, file) in ["a", "b"].enumerated() {
            #expect(try schedule.submit(number, .user(1), file, at: begin))
        }
        #expect(try !schedule.submit(2, .user(1), "c", at: begin))
        let refused = schedule.overdue(at: begin + .seconds(10)).filter(\.isWaiting)
        #expect(refused.map(\.number) == [2] && refused.allSatisfy { $0.error is TooManyFileOperations })
    }

    @Test("A call waits for the reads of transfers that run on its file, and fails if these reads are slow")
    func reads() throws {
        var schedule = Self.schedule
        schedule.beginRead(0, of: "file", at: begin)
        #expect(try schedule.submit(1, .user(1), "file", at: begin))
        #expect(schedule.end(1, at: begin) == [])
        schedule.beginRead(2, of: "file", at: begin)
        #expect(try !schedule.submit(3, .user(1), "file", at: begin))
        #expect(try schedule.submit(4, .user(1), "other", at: begin))
        // A read that begins later does not delay the call.
        schedule.beginRead(5, of: "file", at: begin)
        #expect(schedule.end(0, at: begin) == [3])
        #expect(try !schedule.submit(6, .user(2), "file", at: begin))
        #expect(schedule.overdue(at: begin + .milliseconds(900)).isEmpty)
        let overdue = schedule.overdue(at: begin + .seconds(1))
        #expect(overdue.map(\.number) == [6] && overdue.allSatisfy { $0.error as? ArchiveError == Self.noAnswer })
        #expect(throws: Self.noAnswer) { _ = try schedule.submit(7, .user(2), "file", at: begin + .seconds(1)) }
        // One slow read does not make the file fail. A read that hangs does.
        #expect(schedule.end(5, at: begin) == [])
        #expect(try schedule.submit(8, .user(2), "file", at: begin + .seconds(1)))
        #expect(throws: Self.noAnswer) { _ = try schedule.submit(9, .user(3), "file", at: begin + .seconds(10)) }
    }
}
