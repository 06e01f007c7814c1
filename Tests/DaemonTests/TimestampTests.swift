import Foundation
import Postgres
import Testing

@testable import Daemon

@Suite struct TimestampTests {
    @Test("Times are formatted as Foundation formats them")
    func rfc3339() {
        // Whole seconds from 1583, before which the formatter uses another calendar, to 9999. The formatter's milliseconds come
        // from a binary number and may be one less.
        var samples: [Int64] = [0, -1, 86_399, 86_400, 951_782_400, 4_107_542_400, -11_676_096_000, 253_402_300_799]
        for _ in 0..<2_000 { samples.append(.random(in: -12_212_553_600...253_402_300_799)) }
        for sample in samples {
            let expected = Date(timeIntervalSince1970: Double(sample))
                .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: .gmt))
            #expect(Timestamp(microseconds: sample * 1_000_000).rfc3339 == expected, "\(sample)")
        }
    }

    @Test("Milliseconds are cut, not rounded, also before 1970")
    func milliseconds() {
        #expect(Timestamp(microseconds: 999).rfc3339 == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp(microseconds: 1_999).rfc3339 == "1970-01-01T00:00:00.001Z")
        #expect(Timestamp(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(microseconds: 1_767_323_045_678_901).rfc3339 == "2026-01-02T03:04:05.678Z")
    }

    @Test("A time outside the years 0001 to 9999, such as infinity, becomes the first or the last time of this range")
    func infinity() {
        for late in [253_402_300_800_000_000, Int64.max] {
            #expect(Timestamp(microseconds: late).rfc3339 == "9999-12-31T23:59:59.999Z")
        }
        for early in [-62_135_596_800_000_001, Int64.min] {
            #expect(Timestamp(microseconds: early).rfc3339 == "0001-01-01T00:00:00.000Z")
        }
    }
}
