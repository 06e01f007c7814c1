internal import Archive
internal import Postgres

/// Checks whether exports can be written now: whether the file system is the right one, has enough space, and accepts writes.
///
/// After a failure of the disk, the worker claims no job until a test write is durable.
package actor StorageGuard {
    private let check: StoreCheck
    private let disk: ArchiveDisk
    private let minFree: @Sendable () -> Int
    private var condition = Condition.ok
    /// When a check last succeeded.
    private var checked: ContinuousClock.Instant?
    private let flight = SingleFlight<Void>()
    private static let timeout: Duration = .seconds(3)
    /// How long a result is valid, so that a worker that claims a hundred jobs a second checks less often. Each export checks
    /// again.
    private static let lifetime: Duration = .milliseconds(250)
    /// An export that begins so soon after a check skips the check here. It still checks `.store-id` when it opens its file, but without
    /// a time limit.
    private static let maxCheckAge: Duration = .seconds(3)

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

    /// - Parameter minFree: bytes that must be free for an export to begin.
    package init(database: JobDatabase, disk: ArchiveDisk, minFree: @escaping @Sendable () -> Int) {
        check = StoreCheck(database: database, disk: disk)
        self.disk = disk
        self.minFree = minFree
    }

    /// Checks the disk, unless a check has just succeeded.
    ///
    /// - Throws: ``ArchiveError``; ``PostgresError``.
    func verify() async throws {
        if condition == .ok, let checked, checked.duration(to: .now) < Self.lifetime { return }
        // Not within the timeout, because a database that does not answer is not a fault of the disk.
        try await check.load()
        do {
            try await flight.run(timeout: Self.timeout) { try await self.checkDisk() }
        } catch is SingleFlightTimeout {
            condition = .failed
            throw DiskSchedule.noAnswer
        }
    }

    /// Checks, and keeps the result even if no caller waits for it any more.
    private func checkDisk() async throws {
        do {
            try await check.verify()
            let minFree = minFree()
            guard try await disk.space().free >= minFree else {
                throw ArchiveError(
                    .storageFull,
                    "the archives' disk has less free space than the \(minFree) bytes that an export needs to begin")
            }
            if condition != .ok { try await disk.probe() }
            condition = .ok
            checked = .now
        } catch let error as ArchiveError {
            condition = Condition(error)
            throw error
        }
    }

    /// The id that the directory must have when an export writes into it. Checks `.store-id`, unless a check has just succeeded.
    func storeID() async throws -> String {
        guard let checked, checked.duration(to: .now) < Self.maxCheckAge else { return try await check.verify() }
        return try await check.id()
    }

    /// Records the error of an attempt. An error of the export itself says nothing about the disk.
    func note(_ error: any Error) {
        guard let error = error as? ArchiveError, [.passing, .full].contains(error.fault) else { return }
        condition = Condition(error)
    }

    /// `ok`, `full`, `failed` or `wrong-store`.
    var word: String { condition.rawValue }
}

/// What the database knows about the directory of archives.
package struct StoreFacts: Sendable {
    let id: String
    /// Whether no worker has used the directory yet.
    let isNew: Bool

    static func load(on connection: isolated PostgresConnection) async throws -> StoreFacts {
        let rows = try await connection.query(
            Query(
                "store-id",
                """
                SELECT (SELECT value FROM adminexport.setting WHERE key = 'store_id') AS id,
                    EXISTS (SELECT FROM adminexport.setting WHERE key = 'store_is_new' AND value = 'true') AS new
                """))
        guard let row = rows.first else {
            throw PostgresError(.unexpectedResult, "the database has no store id; restore the row of adminexport.setting")
        }
        return StoreFacts(id: try row.decode("id"), isNew: try row.decode("new"))
    }
}

/// Checks that the directory of archives belongs to the database, before a process writes into it.
package actor StoreCheck {
    private let database: JobDatabase
    private let disk: ArchiveDisk
    /// The id never changes. It is read until the directory has its file `.store-id`.
    private var facts: StoreFacts?

    /// A check for one directory and its database.
    package init(database: JobDatabase, disk: ArchiveDisk) {
        self.database = database
        self.disk = disk
    }

    /// Reads the facts from the database, unless they are known.
    package func load() async throws {
        guard facts == nil else { return }
        facts = try await database.transaction { try await StoreFacts.load(on: $0) }
    }

    /// The id of the store without a check of `.store-id`, which the caller makes; ``verify()`` while the directory may be new.
    func id() async throws -> String {
        guard let facts, !facts.isNew else { return try await verify() }
        return facts.id
    }

    /// Checks the file `.store-id` of the directory. The first worker of an installation writes it, and records that in the
    /// database. From then on, a missing file means that the file system is not mounted. A row lock ensures that only one
    /// worker is the first.
    ///
    /// - Returns: the id of the store.
    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the disk or the database.
    @discardableResult
    package func verify() async throws -> String {
        try await load()
        guard let known = facts else { preconditionFailure("the facts are loaded") }
        if known.isNew {
            try await database.transaction { [disk] connection in
                try await connection.query(
                    Query("lock-store", "SELECT value FROM adminexport.setting WHERE key = 'store_is_new' FOR UPDATE"))
                let facts = try await StoreFacts.load(on: connection)
                try await disk.verify(facts, mayCreate: facts.isNew)
                try await connection.query(
                    Query(
                        "store-seen",
                        "UPDATE adminexport.setting SET value = 'false' WHERE key = 'store_is_new' AND value <> 'false'"))
            }
        } else {
            try await disk.verify(known, mayCreate: false)
        }
        facts = StoreFacts(id: known.id, isNew: false)
        return known.id
    }
}
