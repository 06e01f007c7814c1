internal import Archive
internal import Postgres

/// What the database knows of the directory of archives.
package struct StoreFacts: Sendable {
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

    /// Asks the database what it knows, unless it is known.
    package func load() async throws {
        guard facts == nil else { return }
        facts = try await database.transaction { try await StoreFacts.load(on: $0) }
    }

    /// The first worker of an installation marks the directory, and the database remembers that it did: a directory without
    /// the mark is from then on one that is not mounted. Two who are first at once do so one after the other.
    ///
    /// - Returns: the id.
    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the disk or the database.
    @discardableResult
    package func verify() async throws -> String {
        try await load()
        guard let found = facts else { preconditionFailure("facts are there once they are loaded") }
        if found.isNew {
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
            try await disk.verify(found, mayCreate: false)
        }
        facts = StoreFacts(id: found.id, isNew: false)
        return found.id
    }
}
