import Testing

@testable import Console

@Suite struct ByteRangeTests {
    private static let tag = "\"abc\""

    @Test(
        "A Range header is interpreted as in RFC 9110",
        arguments: [
            (nil, ByteRange.whole), ("bytes=0-99", .part(0..<100)), ("bytes=100-", .part(100..<1_000)),
            ("bytes=-100", .part(900..<1_000)), ("bytes=-5000", .part(0..<1_000)), ("bytes=990-5000", .part(990..<1_000)),
            ("bytes=1000-", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=5-4", .whole), ("bytes=-", .whole),
            ("bytes=0-1,5-6", .whole), ("lines=0-1", .whole), ("bytes=a-b", .whole), ("", .whole),
            ("bytes=0-99999999999999999999999", .part(0..<1_000)), ("bytes=99999999999999999999999-", .unsatisfiable),
            ("bytes=-99999999999999999999999", .part(0..<1_000)),
        ] as [(String?, ByteRange)])
    func ranges(_ header: String?, _ range: ByteRange) {
        #expect(ByteRange(header, tag: Self.tag, size: 1_000) == range)
    }

    @Test("A range applies only if If-Range names the same file")
    func ifRange() {
        #expect(ByteRange("bytes=0-9", ifRange: Self.tag, tag: Self.tag, size: 20) == .part(0..<10))
        #expect(ByteRange("bytes=0-9", ifRange: "\"other\"", tag: Self.tag, size: 20) == .whole)
        #expect(ByteRange("bytes=0-9", ifRange: "W/\"abc\"", tag: Self.tag, size: 20) == .whole)
        #expect(ByteRange("bytes=0-9", ifRange: "Thu, 26 Nov 2026 10:00:00 GMT", tag: Self.tag, size: 20) == .whole)
    }

    @Test("An empty file has no satisfiable range")
    func empty() {
        #expect(ByteRange("bytes=0-", tag: Self.tag, size: 0) == .unsatisfiable)
        #expect(ByteRange("bytes=-1", tag: Self.tag, size: 0) == .unsatisfiable)
    }

    @Test(
        "If-None-Match accepts lists, weak tags and *",
        arguments: [
            ("\"abc\"", true), ("W/\"abc\"", true), ("\"x\", \"abc\"", true), ("*", true), ("\"x\"", false), ("abc", false),
        ])
    func noneMatch(_ header: String, _ matches: Bool) {
        #expect(ByteRange.matches(header, tag: Self.tag) == matches)
        #expect(!ByteRange.matches(nil, tag: Self.tag))
    }
}
