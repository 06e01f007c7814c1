package import Archive

/// The store of archives, each call on a thread of its own: a disk that hangs holds up neither the threads that serve callers and
/// renew leases, nor a call on another file.
package struct ArchiveDisk: Sendable {
    package let store: ArchiveStore
    private let threads: DiskThreads
    private let lane: DiskThreads.Lane

    package init(store: ArchiveStore, threads: DiskThreads = DiskThreads(), lane: DiskThreads.Lane = .look) {
        self.store = store
        self.threads = threads
        self.lane = lane
    }

    /// The same store, with the threads of another lane.
    package func on(_ lane: DiskThreads.Lane) -> ArchiveDisk {
        ArchiveDisk(store: store, threads: threads, lane: lane)
    }

    /// Calls that do not come back.
    package var stuck: Int { threads.stuck }

    /// Calls that wait for a thread.
    var waiting: Int { threads.waiting }

    private func run<Answer: Sendable>(
        on thing: String, _ body: @escaping @Sendable (ArchiveStore) throws -> Answer
    ) async throws -> Answer {
        try await threads.run(in: lane, on: thing) { [store] in try body(store) }
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

    /// Opens an archive, after a look at whose file system this is: a file of another installation, or none because nothing is
    /// mounted, is not given out as this one's.
    private func open<Answer: Sendable>(
        _ name: ArchiveName, _ facts: StoreFacts, _ body: @escaping @Sendable (SeekableReader) throws -> Answer
    ) async throws -> Answer {
        try await run(on: name.file) { store in
            try store.verify(storeID: facts.id, mayCreate: false)
            return try body(store.open(name))
        }
    }

    /// Reads a part of a file.
    func read(_ name: ArchiveName, offset: Int, length: Int, facts: StoreFacts) async throws -> ExportService.Part {
        // Opened for each part: a reader that was kept would hold the disk space of a file that is removed.
        try await open(name, facts) { reader in
            ExportService.Part(bytes: try reader.read(offset: offset, length: length), size: reader.size)
        }
    }

    /// Opens a file's content as a pipe that a thread of its own feeds.
    func pipe(
        _ name: ArchiveName, from offset: Int, for user: Int, facts: StoreFacts, transfers: Transfers, delivery: Delivery?
    ) async throws -> OpenedFile {
        try await open(name, facts) { reader in
            guard offset <= reader.size else { throw ArchiveError(.damaged, "the archive is shorter than its job says") }
            let (size, archiveSize) = (reader.size, reader.archiveSize)
            return OpenedFile(
                adopting: try transfers.start(reader, of: name.file, from: offset, for: user, delivery), size: size,
                archiveSize: archiveSize, delivery: delivery)
        }
    }

    /// Opens a file as it lies on the disk.
    func file(_ name: ArchiveName, facts: StoreFacts, delivery: Delivery?) async throws -> OpenedFile {
        try await open(name, facts) { reader in
            OpenedFile(
                adopting: try reader.duplicateFile(), size: reader.size, archiveSize: reader.archiveSize, delivery: delivery)
        }
    }

    /// Begins to list what lies in the store.
    func walk() async throws -> StoreWalk {
        try await run(on: "the list") { try StoreWalk($0) }
    }

    /// Goes on with it. A walk whose step has failed is over.
    func step(of walk: StoreWalk, files most: Int) async throws -> StoreWalk.Step {
        try await run(on: "the list") { _ in try walk.step(files: most) }
    }

    /// - Returns: whether it is gone.
    func remove(quietly file: StoredFile) async -> Bool {
        (try? await run(on: file.name) { try $0.remove(file) }) != nil
    }

    func remove(_ name: ArchiveName) async throws {
        try await run(on: name.file) { try $0.remove(name) }
    }

    /// Removes what no row names, partial or whole, as well as that can be done now.
    func remove(quietly name: ArchiveName) async {
        try? await run(on: name.file) { store in
            try? store.remove(name)
            try? store.removePartial(name)
        }
    }
}
