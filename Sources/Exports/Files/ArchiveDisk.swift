package import Archive
private import Synchronization
package import SystemPackage

/// The store of archives. Each call runs on a thread of its own, so a disk that hangs blocks neither the threads that serve
/// callers and renew leases, nor a call on another file.
package struct ArchiveDisk: Sendable {
    /// The store. A direct call blocks the thread of the caller.
    package let store: ArchiveStore
    private let threads: DiskThreads
    private let lane: DiskThreads.Lane

    /// The store with threads for its calls.
    ///
    /// - Parameter lane: the lane whose threads the calls use.
    package init(store: ArchiveStore, threads: DiskThreads = DiskThreads(), lane: DiskThreads.Lane = .check) {
        self.store = store
        self.threads = threads
        self.lane = lane
    }

    /// The same store, with the threads of another lane.
    package func on(_ lane: DiskThreads.Lane) -> ArchiveDisk {
        ArchiveDisk(store: store, threads: threads, lane: lane)
    }

    /// Calls that have taken longer than a caller waits.
    package var stuck: Int { threads.stuck }

    /// Calls that wait for a thread.
    var waiting: Int { threads.waiting }

    private func run<Value: Sendable>(
        on target: String, _ body: @escaping @Sendable (ArchiveStore) throws -> Value
    ) async throws -> Value {
        try await threads.run(in: lane, on: target) { [store] in try body(store) }
    }

    /// See ``ArchiveStore/verify(storeID:mayCreate:)``.
    func verify(_ facts: StoreFacts, mayCreate: Bool) async throws {
        try await run(on: "the mark") { try $0.verify(storeID: facts.id, mayCreate: mayCreate) }
    }

    /// See ``ArchiveStore/space()``.
    func space() async throws -> (free: Int, size: Int) {
        try await run(on: "the figures") { try $0.space() }
    }

    /// See ``ArchiveStore/probe()``.
    func probe() async throws {
        try await run(on: "a trial") { try $0.probe() }
    }

    /// Opens an archive, after a check that the directory belongs to this installation. The check refuses the directory of
    /// another installation, and a directory whose file system is not mounted.
    private func open<Value: Sendable>(
        _ name: ArchiveName, _ facts: StoreFacts, _ body: @escaping @Sendable (SeekableReader) throws -> Value
    ) async throws -> Value {
        try await run(on: name.file) { store in
            try store.verify(storeID: facts.id, mayCreate: false)
            return try body(store.open(name))
        }
    }

    /// Reads a part of a file.
    func read(_ name: ArchiveName, offset: Int, length: Int, facts: StoreFacts) async throws -> ExportService.Part {
        // Opened for each part, because an open reader would occupy the disk space of a removed file.
        try await open(name, facts) { reader in
            ExportService.Part(bytes: try reader.read(offset: offset, length: length), size: reader.size)
        }
    }

    /// Opens the content of a file as a pipe, which a thread of its own feeds.
    func pipe(
        _ name: ArchiveName, from offset: Int, for user: Int, facts: StoreFacts, transfers: Transfers, delivery: Delivery?
    ) async throws -> OpenedFile {
        try await open(name, facts) { [threads] reader in
            guard offset <= reader.size else { throw ArchiveError(.damaged, "the archive is shorter than its job says") }
            let (size, archiveSize) = (reader.size, reader.archiveSize)
            return OpenedFile(
                adopting: try transfers.start(reader, of: name.file, from: offset, for: user, threads, delivery), size: size,
                archiveSize: archiveSize, delivery: delivery)
        }
    }

    /// Opens the archive file itself.
    func file(_ name: ArchiveName, facts: StoreFacts, delivery: Delivery?) async throws -> OpenedFile {
        try await open(name, facts) { reader in
            OpenedFile(
                adopting: try reader.duplicateFile(), size: reader.size, archiveSize: reader.archiveSize, delivery: delivery)
        }
    }

    /// Begins to walk through the files of the store.
    func walk() async throws -> StoreWalk {
        try await run(on: "the list") { try StoreWalk($0) }
    }

    /// Continues a walk. A walk ends when a step fails.
    func step(of walk: StoreWalk, files max: Int) async throws -> StoreWalk.Step {
        try await run(on: "the list") { _ in try walk.step(files: max) }
    }

    /// Removes a file, and ignores errors.
    ///
    /// - Returns: whether the file is gone.
    func remove(quietly file: StoredFile) async -> Bool {
        (try? await run(on: file.name) { try $0.remove(file) }) != nil
    }

    func remove(_ name: ArchiveName) async throws {
        try await run(on: name.file) { try $0.remove(name) }
    }

    /// Removes a partial or complete file that no row names, and ignores errors.
    func remove(quietly name: ArchiveName) async {
        try? await run(on: name.file) { store in
            try? store.remove(name)
            try? store.removePartial(name)
        }
    }
}

/// A workbook that is being delivered: a descriptor, which this object closes, and its sizes.
package final class OpenedFile: Sendable {
    /// The archive file, or the reading end of a pipe with the workbook.
    package let descriptor: FileDescriptor
    /// The size of the whole workbook, in bytes.
    package let size: Int
    /// The size of its archive, in bytes.
    package let archiveSize: Int
    private let delivery: Delivery?
    private let isPassed = Atomic(false)

    init(adopting descriptor: FileDescriptor, size: Int, archiveSize: Int, delivery: Delivery?) {
        self.descriptor = descriptor
        self.size = size
        self.archiveSize = archiveSize
        self.delivery = delivery
    }

    /// Records that the kernel has taken the descriptor for the peer.
    package func wasPassed() {
        isPassed.store(true, ordering: .releasing)
    }

    deinit {
        // Before the descriptor is closed, because the writer of the pipe also reports the close.
        if !isPassed.load(ordering: .acquiring) { delivery?.failed(.notSent) }
        try? descriptor.close()
    }
}

/// The offset is beyond the end of the workbook.
package struct OffsetBeyondEnd: Error, Sendable {
    /// The size of the workbook, in bytes.
    package let size: Int
}
