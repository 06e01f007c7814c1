@testable import JSONRPC
import Testing

@Suite struct FramingAdviceTests {
    /// The lines of a peer, with `r` for a whole request, and the verdict on each: `s` serve, `t` tell, `i` ignore.
    private static let streams: [([String], String)] = [
        (["r", "nonsense", "r"], "sss"),
        (["{", "  \"jsonrpc\": \"2.0\",", "  \"id\": 1", "}", "nonsense", "r"], "tiiiss"),
        (["[", "{", "\"a\": [", "1", "]", "}", "]", "x"], "tiiiiiis"),
        (["{", "}", "{", "}"], "titi"),
        (["  {\t", "\"a\": \"}}}\\\"}\",", "\"b\": {", "}", "}", "x"], "tiiiis"),
        (["{", "r", "\"id\": 1", "}"], "tsss"),
        (["{", "{", "{", "r", "{"], "tiist"),
        (["}", "]", "{}", "[]", "{ \"a\": 1,"], "sssss"),
    ]

    @Test("A message of several lines gets one error, up to its end or the next whole request", arguments: streams.indices)
    func lines(_ index: Int) {
        let (lines, expected) = Self.streams[index]
        var advice = FramingAdvice()
        let verdicts = lines.map { line -> Character in
            switch advice.line(Array(line.utf8), isRequest: line == "r") {
            case .serve: "s"
            case .tell: "t"
            case .ignore: "i"
            }
        }
        #expect(String(verdicts) == expected, "\(lines)")
    }

    @Test("Another framing gets one error, until a whole request arrives")
    func misframed() {
        var advice = FramingAdvice()
        let told = [advice.misframed(), advice.misframed()]
        #expect(told == [true, false] && advice.isGiven)
        let ignored = ["nonsense", "{", "}"].map { advice.line(Array($0.utf8), isRequest: false) }
        #expect(ignored == [.ignore, .ignore, .ignore])
        let (again, served) = (advice.misframed(), advice.line(Array("r".utf8), isRequest: true))
        #expect(!again && served == .serve && !advice.isGiven)
        let toldAnew = advice.misframed()
        #expect(toldAnew)
    }
}
