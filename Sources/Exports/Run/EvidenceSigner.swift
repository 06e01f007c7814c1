package import Evidence
internal import Postgres
private import Synchronization

/// Signs the receipts of a worker's exports and the checkpoints of the audit trail.
package final class EvidenceSigner: Sendable {
    private let key: SigningKey
    private let database: JobDatabase
    private let fileName: @Sendable (_ tenant: String, _ day: String) -> String
    private let isActive: @Sendable () -> Bool
    private let known = Mutex<String?>(nil)

    /// A signer.
    ///
    /// - Parameters:
    ///   - database: contains the id of the installation.
    ///   - isActive: whether signatures of the key count now.
    ///   - fileName: the name that the service gives a workbook, by the tenant's slug and the day of the data, `yyyy-mm-dd`.
    package init(
        key: SigningKey, database: JobDatabase, isActive: @escaping @Sendable () -> Bool = { true },
        fileName: @escaping @Sendable (_ tenant: String, _ day: String) -> String
    ) {
        self.key = key
        self.database = database
        self.isActive = isActive
        self.fileName = fileName
    }

    /// Whether the signer signs: not after a reload of the configuration that retires or revokes the key.
    var mayAct: Bool { isActive() }

    /// The id of the installation. It never changes, so it is read once.
    ///
    /// - Throws: ``PostgresError``.
    func installation() async throws -> String {
        if let known = known.withLock({ $0 }) { return known }
        let rows = try await database.transaction { connection in
            try await connection.query(
                Query("installation", "SELECT value FROM adminexport.setting WHERE key = 'installation_id'"))
        }
        guard let id: String = try rows.first?.decode("value") else {
            throw PostgresError(
                .unexpectedResult, "the database has no installation id; restore the row of adminexport.setting")
        }
        known.withLock { $0 = id }
        return id
    }

    /// A checkpoint with this statement.
    func sign(_ predicate: CheckpointPredicate) throws -> Checkpoint {
        try Checkpoint(predicate, by: key)
    }

    /// A receipt as JSON.
    ///
    /// - Parameter day: the day of the data, `yyyy-mm-dd`.
    func sign(
        _ manifest: Manifest, _ facts: ExportPredicate.Facts, sheets: [(name: String, rows: Int)], tenant: String,
        day: String
    ) throws -> String {
        let predicate = ExportPredicate(
            manifest: manifest, facts: facts, rowsPerSheet: sheets.map { .init(name: $0.name, rows: $0.rows) },
            signedAt: EvidenceTime.now)
        return try Receipt(predicate, fileName: fileName(tenant, day), by: key).envelope.json
    }
}
