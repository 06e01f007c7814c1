package import Archive
package import Jobs
private import Postgres

/// Whether the directory of archives is the one that belongs to the database.
package struct StoreCheck: Sendable {
    private let database: WorkerDatabase
    private let store: ArchiveStore

    package init(database: WorkerDatabase, store: ArchiveStore) {
        self.database = database
        self.store = store
    }

    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the disk or the database.
    package func verify() async throws {
        let (id, isUnused) = try await database.transaction { connection in
            let rows = try await connection.query(
                Query(
                    "store-id",
                    """
                    SELECT value AS id, NOT EXISTS (SELECT FROM adminexport.job WHERE archive_epoch IS NOT NULL) AS unused
                    FROM adminexport.setting WHERE key = 'store_id'
                    """))
            guard let row = rows.first else { throw PostgresError(.unexpectedResult, "there is no store id") }
            return (try row.decode("id", as: String.self), try row.decode("unused", as: Bool.self))
        }
        try store.verify(storeID: id, mayCreate: isUnused)
    }
}
