/// Waiters of several parties: the parties take turns, and within a party whoever came first is first. A pure value.
///
/// A party that asks for a thousand things waits behind one that asks for one.
struct FairQueue<Party: Hashable, Element> {
    private typealias Place = (id: UInt64, element: Element)

    private var lines: [Party: [Place]] = [:]
    /// The parties with somebody in line, the next one first.
    private var turns: [Party] = []
    private var parties: [UInt64: Party] = [:]

    var isEmpty: Bool { turns.isEmpty }

    mutating func append(_ element: Element, id: UInt64, of party: Party) {
        if lines[party] == nil { turns.append(party) }
        lines[party, default: []].append((id, element))
        parties[id] = party
    }

    mutating func popFirst() -> Element? {
        guard let party = turns.first, let place = lines[party]?.first else { return nil }
        turns.removeFirst()
        take(place.id, at: 0, of: party)
        if lines[party] != nil { turns.append(party) }
        return place.element
    }

    mutating func remove(_ id: UInt64) -> Element? {
        guard let party = parties[id], let index = lines[party]?.firstIndex(where: { $0.id == id }),
            let place = lines[party]?[index]
        else { return nil }
        take(id, at: index, of: party)
        if lines[party] == nil { turns.removeAll { $0 == party } }
        return place.element
    }

    mutating func removeAll() -> [Element] {
        defer { self = FairQueue() }
        return turns.flatMap { lines[$0, default: []].map(\.element) }
    }

    private mutating func take(_ id: UInt64, at index: Int, of party: Party) {
        lines[party]?.remove(at: index)
        if lines[party]?.isEmpty == true { lines[party] = nil }
        parties[id] = nil
    }
}
