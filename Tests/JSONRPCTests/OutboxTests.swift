@testable import JSONRPC
import Testing

@Suite struct OutboxTests {
    private func entry(_ text: String, key: String? = nil, file: String? = nil) -> Outbox.Entry {
        Outbox.Entry(line: Array(text.utf8), attachments: file.map { [$0] } ?? [], key: key, ticket: nil)
    }

    private func texts(_ entries: [Outbox.Entry]) -> [String] {
        entries.map { String(decoding: $0.line, as: UTF8.self) }
    }

    @Test("Entries are sent in order, together up to the size, and are counted until they are sent")
    func order() {
        var outbox = Outbox()
        for text in ["aa", "bb", "cc", "dddddddd", "e"] { outbox.add(entry(text)) }
        #expect(outbox.bytes == 15)
        let first = outbox.next(upTo: 5)
        #expect(texts(first) == ["aa", "bb"] && outbox.bytes == 15)
        outbox.sent(first)
        #expect(outbox.bytes == 11)
        #expect(texts(outbox.next(upTo: 5)) == ["cc"])
        // An entry longer than the size is sent alone.
        #expect(texts(outbox.next(upTo: 5)) == ["dddddddd"])
        #expect(texts(outbox.next(upTo: 5)) == ["e"])
        #expect(outbox.next(upTo: 5).isEmpty && outbox.isEmpty)
    }

    @Test("An entry with an attachment is sent alone")
    func attachments() {
        var outbox = Outbox()
        outbox.add(entry("a"))
        outbox.add(entry("b", file: "1"))
        outbox.add(entry("c", file: "2"))
        outbox.add(entry("d"))
        #expect((1...4).map { _ in texts(outbox.next(upTo: 100)).joined() } == ["a", "b", "c", "d"])
    }

    @Test("An entry replaces a waiting entry with the same key, but not one that is being sent")
    func replacing() {
        var outbox = Outbox()
        outbox.add(entry("k1", key: "k"))
        outbox.add(entry("x"))
        outbox.add(entry("k22", key: "k"))
        #expect(outbox.bytes == 4)
        #expect(texts(outbox.next(upTo: 3)) == ["k22"])
        outbox.add(entry("k3", key: "k"))
        #expect(texts(outbox.next(upTo: 100)) == ["x", "k3"])
        outbox.add(entry("k4", key: "k"))
        outbox.discard(key: "k")
        #expect(outbox.isEmpty && outbox.bytes == 6)
    }
}
