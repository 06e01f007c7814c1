@testable import Postgres
import Testing

@Suite struct FairQueueTests {
    private func queue(_ text: String) -> FairQueue<Character, String> {
        var queue = FairQueue<Character, String>()
        for (index, key) in text.enumerated() { queue.append("\(key)\(index)", id: UInt64(index), flow: key) }
        return queue
    }

    private func drained(_ queue: FairQueue<Character, String>) -> String {
        var queue = queue
        var order: [String] = []
        while let next = queue.popFirst() { order.append(next) }
        return order.joined(separator: " ")
    }

    @Test(
        "Flows take turns, and a flow is first in, first out",
        arguments: [
            ("", ""), ("aaa", "a0 a1 a2"), ("aaab", "a0 b3 a1 a2"), ("aabbc", "a0 b2 c4 a1 b3"), ("abaca", "a0 b1 c3 a2 a4"),
        ])
    func turns(_ arrivals: String, _ order: String) {
        #expect(drained(queue(arrivals)) == order)
    }

    @Test("An element that is removed takes no turn")
    func leaving() {
        var queue = queue("aabbc")
        #expect(queue.remove(4) == "c4" && queue.remove(4) == nil && queue.remove(0) == "a0")
        #expect(drained(queue) == "a1 b2 b3")
        #expect(Set(queue.removeAll()) == ["a1", "b2", "b3"] && queue.isEmpty)
    }
}
