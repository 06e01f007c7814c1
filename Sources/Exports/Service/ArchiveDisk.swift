package import Archive
internal import Postgres

/// The store of archives on a thread of its own: a disk that hangs must not hold up the threads that serve callers and
/// renew leases.
package actor ArchiveDisk {
    private let queue = SerialQueue(label: "archive-disk")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    package nonisolated let store: ArchiveStore

    package init(store: ArchiveStore) {
        self.store = store
    }

    /// See ``ArchiveStore/verify(storeID:mayCreate:)``.
    func verify(_ facts: StoreFacts, mayCreate: Bool) throws {
        try store.verify(storeID: facts.id, mayCreate: mayCreate)
    }

    /// See ``ArchiveStore/space()``.
    func space() throws -> (free: Int, size: Int) {
        try store.space()
    }

    /// See ``ArchiveStore/probe()``.
    func probe() throws {
        try store.probe()
    }

    /// Reads a part of a file, after a look at whose file system this is.
    func read(_ name: ArchiveName, offset: Int, length: Int, facts: StoreFacts) throws -> ExportService.Part {
        try verify(facts, mayCreate: false)
        // Opened for each part: a reader that was kept would hold the disk space of a file that is removed.
        let reader = try store.open(name)
        return ExportService.Part(bytes: try reader.read(offset: offset, length: length), size: reader.size)
    }

    /// Opens a file's content as a pipe that a thread of its own feeds.
    func pipe(
        _ name: ArchiveName, from offset: Int, for user: Int, facts: StoreFacts, transfers: Transfers, delivery: Delivery?
    )
        throws -> OpenedFile
    {
        try verify(facts, mayCreate: false)
        let reader = try store.open(name)
        guard offset <= reader.size else { throw ArchiveError(.damaged, "the archive is shorter than its job says") }
        return OpenedFile(
            adopting: try transfers.start(reader, from: offset, for: user, delivery), size: reader.size,
            archiveSize: reader.archiveSize, delivery: delivery)
    }

    /// Opens a file as it lies on the disk.
    func file(_ name: ArchiveName, facts: StoreFacts, delivery: Delivery?) throws -> OpenedFile {
        try verify(facts, mayCreate: false)
        let reader = try store.open(name)
        return OpenedFile(
            adopting: try reader.duplicateFile(), size: reader.size, archiveSize: reader.archiveSize, delivery: delivery)
    }

    /// What lies in the store, a list for each month of each tenant.
    func files() throws -> [[StoredFile]] {
        var months: [[StoredFile]] = []
        try store.forEachMonth { months.append($0) }
        return months
    }

    /// - Returns: whether it is gone.
    func remove(quietly file: StoredFile) -> Bool {
        (try? store.remove(file)) != nil
    }

    func remove(_ name: ArchiveName) throws {
        try store.remove(name)
    }

    /// Removes what no row names, partial or whole, as well as that can be done now.
    func remove(quietly name: ArchiveName) {
        try? store.remove(name)
        try? store.removePartial(name)
    }
}
