@testable import Daemon
import Postgres
import Testing

@Suite struct TimestampTests {
    @Test("Times are written as the system's formatter writes them")
    func rfc3339() {
        // Whole seconds, from 1583, before which the formatter's calendar is another one, to 9999. Its milliseconds are those of a
        // number in binary, which may be one less.
        var samples: [Int64] = [0, -1, 86_399, 86_400, 951_782_400, 4_107_542_400, -11_676_096_000, 253_402_300_799]
        for _ in 0..<2_000 { samples.append(.random(in: -12_212_553_600...253_402_300_799)) }
        for sample in samples {
            let time = Timestamp(microseconds: sample * 1_000_000)
            #expect(time.rfc3339 == time.slowRFC3339, "\(sample)")
        }
    }

    @Test("Milliseconds are cut, not rounded, before 1970 too")
    func milliseconds() {
        #expect(Timestamp(microseconds: 999).rfc3339 == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp(microseconds: 1_999).rfc3339 == "1970-01-01T00:00:00.001Z")
        #expect(Timestamp(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(microseconds: 1_767_323_045_678_901).rfc3339 == "2026-01-02T03:04:05.678Z")
    }

    @Test("Infinity is no reason to stop")
    func infinity() {
        #expect(!Timestamp(microseconds: .max).rfc3339.isEmpty && !Timestamp(microseconds: .min).rfc3339.isEmpty)
    }
}
