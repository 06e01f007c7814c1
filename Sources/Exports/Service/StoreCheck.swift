package import Archive
package import Jobs
internal import Postgres

/// What the database knows of the directory of archives.
struct StoreFacts: Sendable {
    let id: String
    /// No job has an archive yet.
    let isUnused: Bool

    static func load(on connection: isolated PostgresConnection) async throws -> StoreFacts {
        let rows = try await connection.query(
            Query(
                "store-id",
                """
                SELECT value AS id, NOT EXISTS (SELECT FROM adminexport.job WHERE archive_epoch IS NOT NULL) AS unused
                FROM adminexport.setting WHERE key = 'store_id'
                """))
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "there is no store id") }
        return StoreFacts(id: try row.decode("id"), isUnused: try row.decode("unused"))
    }
}

/// Holds the directory of archives to the database, for those who write into it.
package struct StoreCheck: Sendable {
    private let database: WorkerDatabase
    private let store: ArchiveStore

    package init(database: WorkerDatabase, store: ArchiveStore) {
        self.database = database
        self.store = store
    }

    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the disk or the database.
    package func verify() async throws {
        let facts = try await database.transaction { try await StoreFacts.load(on: $0) }
        try store.verify(facts, mayCreate: facts.isUnused)
    }
}

extension ArchiveStore {
    func verify(_ facts: StoreFacts, mayCreate: Bool) throws {
        try verify(storeID: facts.id, mayCreate: mayCreate)
    }
}
