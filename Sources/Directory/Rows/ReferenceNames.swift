internal import Postgres

/// The names of a tenant's profiles, groups or teams, by key, in code point order (`COLLATE "C"`).
///
/// A name's place in that order is its rank: sorting a list of names is sorting a few small integers.
struct ReferenceNames: Sendable {
    fileprivate struct Entry {
        let key: Range<Int>
        let name: Range<Int>
        /// The name as an item of a list: quoted as in CSV where it holds a comma or a quote.
        let item: Range<Int>
        let hash: UInt64
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    private var slots: [Int32]

    /// - Parameters:
    ///   - copy: a binary COPY of key and name, ordered by name in code point order.
    ///   - relation: where they are from.
    ///   - type: of its keys.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` for a row without a key or a name, or a key that comes twice.
    init(copy: CopyBuffer, of relation: String, keys type: KeyTypes.KeyType) throws {
        slots = []
        let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(capacity: 2)
        defer { fields.deallocate() }
        try copy.withBytes { buffer in
            var cursor = try CopyCursor(buffer)
            while try cursor.next(fields) {
                guard let key = fields[0], let name = fields[1] else {
                    let shown = fields[0].map { type.text(of: $0) }
                    let fault = ContractFault.null(relation, shown == nil ? "id" : "name", key: shown)
                    throw DirectoryError.sourceInvalid(fault.description)
                }
                add(key: key, name: name)
            }
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

    private mutating func add(key: UnsafeBufferPointer<UInt8>, name: UnsafeBufferPointer<UInt8>) {
        let keyRange = append(key)
        let nameRange = append(name)
        let start = bytes.count
        bytes.append(item: name, separator: ",")
        var item = start..<bytes.count
        if item.count == name.count {
            // Not quoted: the name itself will do.
            bytes.removeSubrange(item)
            item = nameRange
        }
        entries.append(Entry(key: keyRange, name: nameRange, item: item, hash: Self.hash(key)))
    }

    private mutating func append(_ part: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes.append(contentsOf: part)
        return start..<bytes.count
    }

    /// Calls the body with each name, in code point order. UTF-8, valid during the call.
    func forEachName(_ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try withReader { reader in
            for rank in entries.indices { try body(reader.name(rank)) }
        }
    }

    /// Lends lookups by pointer, without a retain or a bounds check for each.
    func withReader<Result>(_ body: (borrowing Reader) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeBufferPointer { bytes in
            try entries.withUnsafeBufferPointer { entries in
                try slots.withUnsafeBufferPointer { slots in
                    try body(Reader(bytes: bytes, entries: entries, slots: slots))
                }
            }
        }
    }

    struct Reader: ~Copyable {
        fileprivate let bytes: UnsafeBufferPointer<UInt8>
        fileprivate let entries: UnsafeBufferPointer<Entry>
        fileprivate let slots: UnsafeBufferPointer<Int32>

        /// The rank of the key's name, or nil for a key that the tenant does not have.
        @inline(__always)
        func rank(of key: UnsafeBufferPointer<UInt8>) -> Int? {
            let hash = ReferenceNames.hash(key)
            var slot = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
            while slots[slot] >= 0 {
                let entry = entries[Int(slots[slot])]
                if entry.hash == hash, key.hasSameBytes(as: view(entry.key)) { return Int(slots[slot]) }
                slot = (slot &+ 1) & (slots.count &- 1)
            }
            return nil
        }

        func name(_ rank: Int) -> UnsafeBufferPointer<UInt8> { view(entries[rank].name) }
        func item(_ rank: Int) -> UnsafeBufferPointer<UInt8> { view(entries[rank].item) }

        @inline(__always)
        private func view(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
            UnsafeBufferPointer(rebasing: bytes[range])
        }
    }

    /// Folded 128-bit products of eight bytes at a time: keys are 8 or 16 bytes, or short texts.
    @inline(__always)
    fileprivate static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
        @inline(__always) func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        var hash = UInt64(truncatingIfNeeded: key.count) &+ 0xCBF2_9CE4_8422_2325
        var at = 0
        if let base = UnsafeRawPointer(key.baseAddress) {
            while at &+ 8 <= key.count {
                hash = fold(hash ^ base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                at &+= 8
            }
        }
        while at < key.count {
            hash = fold(hash ^ UInt64(key[at]))
            at &+= 1
        }
        return hash ^ hash >> 32
    }
}

extension UnsafeBufferPointer<UInt8> {
    @inline(__always)
    func hasSameBytes(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var at = 0
        if let left = UnsafeRawPointer(baseAddress), let right = UnsafeRawPointer(other.baseAddress) {
            while at &+ 8 <= count {
                let (a, b) = (left + at, right + at)
                if a.loadUnaligned(as: UInt64.self) != b.loadUnaligned(as: UInt64.self) { return false }
                at &+= 8
            }
        }
        while at < count {
            if self[at] != other[at] { return false }
            at &+= 1
        }
        return true
    }
}

extension Int {
    fileprivate var nextPowerOf2: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}

extension [UInt8] {
    /// Appends a name as an item of a list or a step of a path: quoted as in CSV (RFC 4180, 2.5 to 2.7) where it holds the
    /// separator or a quote, so that what is joined can be split again.
    mutating func append(item name: some Collection<UInt8>, separator: Unicode.Scalar) {
        let quote = UInt8(ascii: "\"")
        guard name.contains(where: { $0 == UInt8(ascii: separator) || $0 == quote }) else {
            append(contentsOf: name)
            return
        }
        append(quote)
        for byte in name {
            if byte == quote { append(quote) }
            append(byte)
        }
        append(quote)
    }
}
