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

    @Test("The lines do not depend on how the stream is cut", arguments: 1...12)
    func fragments(_ step: Int) {
        let lines = ["a", "bc", "0123456789", "d"].map { LineFramer.Event.line(Array($0.utf8)) }
        #expect(frame("a\nbc\r\n\n  \t\r\n0123456789\nd\nunfinished", step: step) == lines)
    }

    @Test("A line beyond the limit is reported once and dropped up to its end, and the next line is read", arguments: 1...30)
    func tooLong(_ step: Int) {
        let expected: [LineFramer.Event] = [.line(Array("a".utf8)), .tooLong, .line(Array("b".utf8))]
        #expect(frame("a\n0123456789x0123456789y\nb\n", step: step) == expected)
    }

    @Test("The framer reports whether a line has begun and is unfinished")
    func withinLine() {
        var framer = LineFramer(limit: 3)
        #expect(!framer.isWithinLine)
        _ = framer.append(Array("ab".utf8))
        #expect(framer.isWithinLine && framer.isUnfinished && framer.partialBytes == 2)
        _ = framer.append(Array("cd".utf8))
        #expect(framer.isWithinLine && !framer.isUnfinished && framer.partialBytes == 0)
        _ = framer.append(Array("\n".utf8))
        #expect(!framer.isWithinLine)
        _ = framer.append(Array(" \r\t".utf8))
        #expect(framer.isWithinLine && !framer.isUnfinished)
        framer.dropLine()
        let behind = framer.append(Array("ab\nc\n".utf8))
        // No line has begun, so this has no effect.
        framer.dropLine()
        let next = framer.append(Array("d\n".utf8))
        #expect(behind == [.line(Array("c".utf8))] && next == [.line(Array("d".utf8))])
    }

    /// The input of a peer, and the framing that each event reports, nil for a line. `m` stands for a message of one line.
    private static let framings: [(String, [Framing?])] = [
        ("Content-Length: 12\r\n\r\n{\"a\":\"b\"}", [.headers]),
        ("content-length:12\n\nm\n", [.headers, nil]),
        ("CONTENT-TYPE: x\r\nContent-Length: 12\r\n\r\nm\n", [.headers, .headers, nil]),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}\n", [.headers, nil, .headers, nil]),
        ("GET /rpc HTTP/1.1\r\n\r\n", [.headers]),
        ("12:{\"a\":\"b\"},", [.netstring]), ("1234567890:[", [.netstring]),
        ("12:{\"a\":\"b\"},\n13:[],\nm\n", [.netstring, .netstring, nil]),
        ("{\"a\":1}\0{\"a\":2}\0", [.nul]), ("[1] \t\r\0", [.nul]), ("\0{\"a\":1}", [.nul]),
        (" \0ab\n\0mn\nm\n", [.nul, .nul, nil]),
        ("\u{1E}{\"a\":1}\n\u{1E}m\nm\n", [.recordSeparator, .recordSeparator, nil]),
        ("\u{7}\0\0\0{\"a\":1}", [.lengthPrefix]), ("\0\0\0\u{7}{\"a\":1}", [.nul]), (" \0\u{7}\0{", [.lengthPrefix]),
        ("   \0{a", [.nul]),
        ("}\0\0\0{", [.nul]),
        // Valid or invalid JSON, and lines that only resemble another framing.
        ("m\nContent-Length: 5\nm\n", [nil, .headers, nil]), ("\"Content-Length: 5\"\n", [nil]), ("12\n", [nil]),
        ("12:3\n", [nil]),
        ("[\"a\0b\"]\n", [nil]), ("[\0]\n", [nil]), ("Content: 1\n", [nil]), ("x{}\0\n", [.nul]), ("x\0{}\0\n", [nil]),
        ("\0{\0}\0\n", [nil]), ("{\0}\0\n", [nil]), (" \0\n\0\n", [nil, nil]), ("postscript\n", [nil]),
    ]

    @Test("Another framing is reported, wherever the stream is cut", arguments: framings.indices, 1...20)
    func misframed(_ index: Int, _ step: Int) {
        let (text, expected) = Self.framings[index]
        let events = frame(text, limit: 64, step: step).map { event -> Framing? in
            if case .misframed(let framing) = event { framing } else { nil }
        }
        #expect(events == expected, "\(text.debugDescription)")
    }

    @Test("Only bytes within the limit decide whether a line is too long or misframed", arguments: 1...40)
    func tooLongFirst(_ step: Int) {
        #expect(frame("{\"a\":\"0123456789\"}\0\nb\n", step: step) == [.tooLong, .line(Array("b".utf8))])
        #expect(frame("{}\0\"0123456789\"}\nb\n", step: step) == [.misframed(.nul), .line(Array("b".utf8))])
    }
}
