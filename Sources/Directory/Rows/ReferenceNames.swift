internal import Postgres

/// The names that rows refer to.
package struct References: Sendable {
    let profiles: ReferenceNames
    let groups: ReferenceNames
    let teams: ReferenceNames

    /// Calls the body with the name of each profile of the tenant, in code point order. UTF-8.
    package func forEachProfile(_ body: (Span<UInt8>) throws -> Void) rethrows {
        try profiles.forEachName(body)
    }

    /// Calls the body with the name of each team of the tenant, in code point order. UTF-8.
    package func forEachTeam(_ body: (Span<UInt8>) throws -> Void) rethrows {
        try teams.forEachName(body)
    }
}

/// The names of a tenant's profiles, groups or teams, by key, in code point order (`COLLATE "C"`).
///
/// A name's place in that order is its rank: sorting a list of names is sorting a few small integers.
struct ReferenceNames: Sendable {
    private struct Entry {
        let key: Range<Int>
        let name: Range<Int>
        /// The name as an item of a list: quoted as in CSV if it contains a comma or a quote.
        let item: Range<Int>
        let hash: UInt64
    }

    /// Of all keys and names.
    private(set) var bytes: [UInt8] = []
    /// By rank.
    private var entries: [Entry] = []
    /// The number of entries that the actor may see. The others come after them and have no name.
    private var visibleCount = 0
    /// A hash table with open addressing: ranks, or −1 for a free slot. Its size is a power of two.
    private var slots: [Int32] = []

    /// - Parameters:
    ///   - copy: a binary COPY of key and name, ordered by name in code point order; if not all are visible, also of whether the actor
    ///     may see the name, with those that the actor may see first.
    ///   - relation: where they are from.
    ///   - type: of its keys.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` for a row without a key or a name, or a key that occurs twice.
    init(
        copy: CopyBuffer, of relation: String, keys type: KeyTypes.KeyType, areAllVisible: Bool = true
    ) throws {
        var rows = try CopyRows(copy, width: areAllVisible ? 2 : 3)
        while try rows.next() {
            if !areAllVisible, let key = rows.fields[0].range,
                rows.fields[2].range.map({ rows.bytes[$0.lowerBound] == 0 }) ?? true
            {
                add(key: rows.bytes[key], name: [])
                continue
            }
            guard let key = rows.fields[0].range, let name = rows.fields[1].range else {
                let shown = rows.fields[0].range.map { type.text(of: rows.bytes[$0]) }
                let fault = ContractFault.null(relation, shown == nil ? "id" : "name", key: shown)
                throw DirectoryError.sourceInvalid(fault.description)
            }
            add(key: rows.bytes[key], name: rows.bytes[name])
            visibleCount += 1
        }
        slots = Array(repeating: -1, count: max(16, (entries.count * 2).nextPowerOf2))
        for (rank, entry) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
            while slots[slot] >= 0 {
                let other = entries[Int(slots[slot])]
                if other.hash == entry.hash, bytes[other.key] == bytes[entry.key] {
                    throw DirectoryError.doubled(relation, type.text(of: bytes[entry.key]))
                }
                slot = (slot + 1) & (slots.count - 1)
            }
            slots[slot] = Int32(rank)
        }
    }

    private mutating func add(key: ArraySlice<UInt8>, name: ArraySlice<UInt8>) {
        let keyRange = append { $0 += key }
        let nameRange = append { $0 += name }
        var item = append { $0.append(item: name.span, separator: ",") }
        if item.count == name.count {
            // Not quoted: the name itself is the item.
            bytes.removeSubrange(item)
            item = nameRange
        }
        entries.append(Entry(key: keyRange, name: nameRange, item: item, hash: Self.hash(key.span)))
    }

    private mutating func append(_ body: (inout [UInt8]) -> Void) -> Range<Int> {
        let start = bytes.count
        body(&bytes)
        return start..<bytes.count
    }

    /// Calls the body with each name, in code point order.
    func forEachName(_ body: (Span<UInt8>) throws -> Void) rethrows {
        for entry in entries { try body(bytes.span.extracting(entry.name)) }
    }

    /// The rank of the key's name, or nil for a key that the tenant does not have.
    func rank(of key: Span<UInt8>) -> Int? {
        let hash = Self.hash(key)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        while slots[slot] >= 0 {
            let rank = Int(slots[slot])
            if entries[rank].hash == hash, key.hasSameBytes(as: bytes.span.extracting(entries[rank].key)) { return rank }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    /// Whether the actor must not see the name.
    func isHidden(_ rank: Int) -> Bool { rank >= visibleCount }

    /// Where the name stands in the bytes.
    func name(_ rank: Int) -> Range<Int> { entries[rank].name }

    /// Where the item stands in the bytes.
    func item(_ rank: Int) -> Range<Int> { entries[rank].item }

    /// Folded 128-bit products of eight bytes at a time: keys are 8 or 16 bytes, or short texts.
    @inline(__always)
    private static func hash(_ key: Span<UInt8>) -> UInt64 {
        @inline(__always) func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        var hash = UInt64(truncatingIfNeeded: key.count) &+ 0xCBF2_9CE4_8422_2325
        var at = 0
        while at &+ 8 <= key.count {
            hash = fold(hash ^ key.word(at: at))
            at &+= 8
        }
        while at < key.count {
            hash = fold(hash ^ UInt64(key[at]))
            at &+= 1
        }
        return hash ^ hash >> 32
    }
}

extension Span<UInt8> {
    /// Eight bytes, in the machine's order.
    @inline(__always)
    fileprivate func word(at offset: Int) -> UInt64 {
        // SAFETY: the load checks its bounds, and any bits are an integer.
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    func hasSameBytes(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var at = 0
        while at &+ 8 <= count {
            if word(at: at) != other.word(at: at) { return false }
            at &+= 8
        }
        while at < count {
            if self[at] != other[at] { return false }
            at &+= 1
        }
        return true
    }
}

extension [UInt8] {
    /// Appends a name as an item of a list or a step of a path: quoted as in CSV (RFC 4180, 2.5 to 2.7) if it contains the separator
    /// or a quote, so that the list can be split again.
    mutating func append(item name: Span<UInt8>, separator: Unicode.Scalar) {
        let quote = UInt8(ascii: "\"")
        var isPlain = true
        for index in name.indices where name[index] == UInt8(ascii: separator) || name[index] == quote { isPlain = false }
        if !isPlain { append(quote) }
        for index in name.indices {
            if name[index] == quote { append(quote) }
            append(name[index])
        }
        if !isPlain { append(quote) }
    }
}

extension Int {
    fileprivate var nextPowerOf2: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
