internal import Archive

/// Whether exports can be written now: the right file system, with room, which takes what is written.
///
/// After an attempt that the disk has failed, nothing is claimed until a trial has been written and made durable.
package actor StorageGuard {
    private let check: StoreCheck
    private let disk: ArchiveDisk
    private let leastFree: @Sendable () -> Int
    private var condition = Condition.ok
    /// When the disk was found well last.
    private var found: ContinuousClock.Instant?
    private let flight = SingleFlight<Void>()
    private static let timeout: Duration = .seconds(3)
    /// For so long what was found holds: a worker that claims a hundred jobs a second does not look as often. Each export looks
    /// again for itself.
    private static let freshness: Duration = .milliseconds(250)

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
    package init(database: JobDatabase, disk: ArchiveDisk, leastFree: @escaping @Sendable () -> Int) {
        check = StoreCheck(database: database, disk: disk)
        self.disk = disk
        self.leastFree = leastFree
    }

    /// - Throws: ``ArchiveError``, or a fault of the database.
    func verify() async throws {
        if condition == .ok, let found, found.duration(to: .now) < Self.freshness { return }
        // A database that does not answer is no fault of the disk's.
        try await check.load()
        do {
            try await flight.run(timeout: Self.timeout) { try await self.look() }
        } catch is SingleFlightTimeout {
            condition = .failed
            throw DiskThreads.noAnswer
        }
    }

    /// Looks, and keeps what it has found though nobody may wait for it any more.
    private func look() async throws {
        do {
            try await check.verify()
            let leastFree = leastFree()
            guard try await disk.space().free >= leastFree else {
                throw ArchiveError(
                    .storageFull, "the archives' disk has less than the \(leastFree) bytes free that an export begins with")
            }
            if condition != .ok { try await disk.probe() }
            condition = .ok
            found = .now
        } catch let error as ArchiveError {
            condition = Condition(error)
            throw error
        }
    }

    /// The id that the directory has to have, for who writes into it.
    func storeID() async throws -> String {
        try await check.verify()
    }

    /// An attempt has ended with this error. One that is the export's own says nothing about the disk, which may take the next.
    func note(_ error: any Error) {
        guard let error = error as? ArchiveError, [.passing, .full].contains(error.fault) else { return }
        condition = Condition(error)
    }

    /// `ok`, `full`, `failed` or `wrong-store`.
    var word: String { condition.rawValue }
}
