internal import Archive
package import Jobs
internal import Postgres

/// What the database knows of the directory of archives.
struct StoreFacts: Sendable {
    let id: String
    /// No worker has seen the directory yet.
    let isNew: Bool

    static func load(on connection: isolated PostgresConnection) async throws -> StoreFacts {
        let rows = try await connection.query(
            Query(
                "store-id",
                """
                SELECT (SELECT value FROM adminexport.setting WHERE key = 'store_id') AS id,
                    EXISTS (SELECT FROM adminexport.setting WHERE key = 'store_is_new' AND value = 'true') AS new
                """))
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "there is no store id") }
        return StoreFacts(id: try row.decode("id"), isNew: try row.decode("new"))
    }
}

/// Holds the directory of archives to the database, for those who write into it.
package actor StoreCheck {
    private let database: JobDatabase
    private let disk: ArchiveDisk
    /// The id never changes; once the directory is marked it is not asked for again.
    private var facts: StoreFacts?

    package init(database: JobDatabase, disk: ArchiveDisk) {
        self.database = database
        self.disk = disk
    }

    /// The first worker of an installation marks the directory, and the database remembers that it did: a directory without
    /// the mark is from then on one that is not mounted.
    ///
    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the disk or the database.
    package func verify() async throws {
        if let facts { return try await disk.verify(facts, mayCreate: false) }
        let facts = try await database.transaction { try await StoreFacts.load(on: $0) }
        try await disk.verify(facts, mayCreate: facts.isNew)
        if facts.isNew {
            _ = try await database.transaction { connection in
                try await connection.query(
                    Query("store-seen", "UPDATE adminexport.setting SET value = 'false' WHERE key = 'store_is_new'"))
            }
        }
        self.facts = facts
    }
}
