@testable import Postgres
import Testing

@Suite struct FairQueueTests {
    private func queue(_ text: String) -> FairQueue<Character, String> {
        var queue = FairQueue<Character, String>()
        for (index, party) in text.enumerated() { queue.append("\(party)\(index)", id: UInt64(index), of: party) }
        return queue
    }

    private func drained(_ queue: FairQueue<Character, String>) -> String {
        var queue = queue
        var order: [String] = []
        while let next = queue.popFirst() { order.append(next) }
        return order.joined(separator: " ")
    }

    @Test(
        "Parties take turns, and within one whoever came first is first",
        arguments: [
            ("", ""), ("aaa", "a0 a1 a2"), ("aaab", "a0 b3 a1 a2"), ("aabbc", "a0 b2 c4 a1 b3"), ("abaca", "a0 b1 c3 a2 a4"),
        ])
    func turns(_ arrivals: String, _ order: String) {
        #expect(drained(queue(arrivals)) == order)
    }

    @Test("Whoever leaves the line is not waited for")
    func leaving() {
        var queue = queue("aabbc")
        #expect(queue.remove(4) == "c4" && queue.remove(4) == nil && queue.remove(0) == "a0")
        #expect(drained(queue) == "a1 b2 b3")
        #expect(Set(queue.removeAll()) == ["a1", "b2", "b3"] && queue.isEmpty)
    }
}
