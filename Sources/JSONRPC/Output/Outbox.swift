/// The lines that wait to be sent, in order, with the number of their bytes. A pure value.
struct Outbox {
    struct Entry: Sendable {
        /// The line with its line feed.
        let line: [UInt8]
        let attachments: [any Attachment]
        /// An entry replaces a waiting entry with the same key.
        let key: String?
        /// The ticket of the task that waits until the entry is sent.
        let ticket: Int?
    }

    private var entries: [Entry] = []
    /// The bytes of the entries that wait and of those that are being sent.
    private(set) var bytes = 0

    var isEmpty: Bool { entries.isEmpty }
    /// The memory of the entries in bytes, about, including what an entry needs in addition to its line.
    var footprint: Int { bytes + 128 * entries.count }

    mutating func add(_ entry: Entry) {
        bytes += entry.line.count
        if let key = entry.key, let index = entries.firstIndex(where: { $0.key == key }) {
            bytes -= entries[index].line.count
            entries[index] = entry
        } else {
            entries.append(entry)
        }
    }

    /// Removes the waiting entries with this key.
    mutating func discard(key: String) {
        entries.removeAll { entry in
            guard entry.key == key else { return false }
            bytes -= entry.line.count
            return true
        }
    }

    /// Takes out the next entries to send together: one entry with attachments alone, or others up to the size.
    ///
    /// Their bytes stay counted until ``sent(_:)``.
    mutating func next(upTo size: Int) -> [Entry] {
        var total = 0
        var count = 0
        for entry in entries {
            if count > 0, total + entry.line.count > size || !entry.attachments.isEmpty { break }
            total += entry.line.count
            count += 1
            if !entry.attachments.isEmpty { break }
        }
        defer { entries.removeFirst(count) }
        return Array(entries.prefix(count))
    }

    mutating func sent(_ sent: [Entry]) {
        for entry in sent { bytes -= entry.line.count }
    }

    /// Drops everything.
    mutating func removeAll() {
        entries = []
        bytes = 0
    }
}
