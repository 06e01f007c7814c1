internal import Archive
package import Jobs

/// Whether exports can be written now: the right file system, with room, which takes what is written.
///
/// After an attempt that the disk has failed, nothing is claimed until a trial has been written and made durable.
package actor StorageGuard {
    private let check: StoreCheck
    private let disk: ArchiveDisk
    private let leastFree: Int
    private var condition = Condition.ok
    private var looking: Task<Void, any Error>?
    private static let patience: Duration = .seconds(5)

    private enum Condition: String {
        case ok
        case full
        case failed
        case wrongStore = "wrong-store"

        init(_ error: ArchiveError) {
            self =
                switch error.code {
                case .storageFull: .full
                case .wrongStore: .wrongStore
                default: .failed
                }
        }
    }

    /// - Parameter leastFree: bytes that have to be free for an export to begin.
    package init(database: JobDatabase, disk: ArchiveDisk, leastFree: Int) {
        check = StoreCheck(database: database, disk: disk)
        self.disk = disk
        self.leastFree = leastFree
    }

    /// - Throws: ``ArchiveError``, or a fault of the database.
    func verify() async throws {
        do {
            try await answer(of: looking ?? Task { try await look() })
            condition = .ok
        } catch let error as ArchiveError {
            condition = Condition(error)
            throw error
        }
    }

    private func look() async throws {
        try await check.verify()
        guard try await disk.freeSpace() >= leastFree else {
            throw ArchiveError(
                .storageFull, "the archives' disk has less than the \(leastFree) bytes free that an export begins with")
        }
        if condition != .ok { try await disk.probe() }
    }

    /// Waits for a look at the disk, but not for ever: one that hangs is waited for again the next time, by nobody else.
    private func answer(of look: Task<Void, any Error>) async throws {
        looking = look
        let (answers, continuation) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
        let timer = Task {
            try await Task.sleep(for: Self.patience)
            continuation.yield(.failure(ArchiveError(.storageFailed, "the archives' disk does not answer")))
            continuation.finish()
        }
        Task {
            continuation.yield(await look.result)
            continuation.finish()
            done(look)
        }
        defer { timer.cancel() }
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    private func done(_ look: Task<Void, any Error>) {
        if looking == look { looking = nil }
    }

    /// An attempt has ended with this error.
    func note(_ error: any Error) {
        if let error = error as? ArchiveError { condition = Condition(error) }
    }

    /// `ok`, `full`, `failed` or `wrong-store`.
    var word: String { condition.rawValue }
}
