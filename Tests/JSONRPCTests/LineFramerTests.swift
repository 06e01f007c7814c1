import JSONRPC
import Testing

@Suite struct LineFramerTests {
    private func frame(_ text: String, limit: Int = 10, step: Int) -> [LineFramer.Event] {
        var framer = LineFramer(limit: limit)
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: step).flatMap {
            framer.append(Array(bytes[$0..<min(bytes.count, $0 + step)]))
        }
    }

    @Test("Any cut of the stream gives the same lines", arguments: 1...12)
    func fragments(_ step: Int) {
        let lines = ["a", "bc", "0123456789", "d"].map { LineFramer.Event.line(Array($0.utf8)) }
        #expect(frame("a\nbc\r\n\n  \t\r\n0123456789\nd\nunfinished", step: step) == lines)
    }

    @Test("A line over the limit is dropped to its end, told once, and the next is read", arguments: 1...30)
    func tooLong(_ step: Int) {
        let expected: [LineFramer.Event] = [.line(Array("a".utf8)), .tooLong, .line(Array("b".utf8))]
        #expect(frame("a\n0123456789x0123456789y\nb\n", step: step) == expected)
    }

    @Test("A line that has begun is known as such")
    func withinLine() {
        var framer = LineFramer(limit: 3)
        #expect(!framer.isWithinLine)
        _ = framer.append(Array("ab".utf8))
        #expect(framer.isWithinLine)
        _ = framer.append(Array("cd".utf8))
        #expect(framer.isWithinLine)
        _ = framer.append(Array("\n".utf8))
        #expect(!framer.isWithinLine)
    }
}
