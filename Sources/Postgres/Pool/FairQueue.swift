/// A queue in which flows take turns; within a flow the order is first in, first out. A pure value.
///
/// A flow with a thousand elements does not delay a flow with one.
struct FairQueue<FlowKey: Hashable, Element> {
    private typealias Entry = (id: UInt64, element: Element)

    private var flows: [FlowKey: [Entry]] = [:]
    /// The flows that are not empty, the next one first.
    private var turns: [FlowKey] = []
    private var keys: [UInt64: FlowKey] = [:]

    var isEmpty: Bool { turns.isEmpty }

    mutating func append(_ element: Element, id: UInt64, flow key: FlowKey) {
        if flows[key] == nil { turns.append(key) }
        flows[key, default: []].append((id, element))
        keys[id] = key
    }

    mutating func popFirst() -> Element? {
        guard let key = turns.first else { return nil }
        turns.removeFirst()
        let element = removeEntry(at: 0, flow: key)
        if flows[key] != nil { turns.append(key) }
        return element
    }

    mutating func remove(_ id: UInt64) -> Element? {
        guard let key = keys[id], let index = flows[key]?.firstIndex(where: { $0.id == id }) else { return nil }
        let element = removeEntry(at: index, flow: key)
        if flows[key] == nil { turns.removeAll { $0 == key } }
        return element
    }

    mutating func removeAll() -> [Element] {
        defer { self = FairQueue() }
        return turns.flatMap { flows[$0, default: []].map(\.element) }
    }

    private mutating func removeEntry(at index: Int, flow key: FlowKey) -> Element? {
        guard let entry = flows[key]?.remove(at: index) else { return nil }
        if flows[key]?.isEmpty == true { flows[key] = nil }
        keys[entry.id] = nil
        return entry.element
    }
}
