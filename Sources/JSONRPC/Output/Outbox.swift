/// Lines that wait to be sent, in order, counted in bytes. A pure value.
struct Outbox<Attachment: Sendable> {
    struct Entry: Sendable {
        /// With its line feed.
        let line: [UInt8]
        let attachments: [Attachment]
        /// Of two entries with one key only the newer is sent, where the older still waits.
        let key: String?
        /// The ticket of the task that waits until the entry is sent.
        let ticket: Int?
    }

    private var entries: [Entry] = []
    /// Of the entries that wait, and of those that are being sent.
    private(set) var bytes = 0

    var isEmpty: Bool { entries.isEmpty }
    /// What the entries take, with what an entry takes beside its line.
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

    /// Takes back what has this key and still waits.
    mutating func discard(key: String) {
        entries.removeAll { entry in
            guard entry.key == key else { return false }
            bytes -= entry.line.count
            return true
        }
    }

    /// The next entries to be sent together: one with attachments by itself, others up to the size.
    ///
    /// They count as waiting until ``sent(_:)``.
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
