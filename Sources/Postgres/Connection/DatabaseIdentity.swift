/// Identifies the database of a session.
package struct DatabaseIdentity: Sendable {
    /// The cluster's system identifier, which initdb generates; a standby has that of its primary. nil if the login may not
    /// read it.
    private let system: String?
    /// The database's OID.
    private let database: String
    /// When the server was started, to a microsecond.
    private let started: Timestamp
    /// Whether the server is a standby.
    package let isRecovering: Bool

    /// Reads the identity of the connection's database.
    ///
    /// - Throws: ``PostgresError``
    package static func load(on connection: isolated PostgresConnection) async throws -> DatabaseIdentity {
        let rows = try await connection.query(
            Query(
                "database-identity",
                """
                SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
                        THEN (SELECT system_identifier::text FROM pg_control_system()) END AS system,
                    (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
                    pg_postmaster_start_time() AS started, pg_is_in_recovery() AS recovering
                """))
        guard let row = rows.first else {
            throw PostgresError(.unexpectedResult, "the database has no identity", query: "database-identity")
        }
        return DatabaseIdentity(
            system: try row.decodeIfPresent("system"), database: try row.decode("database"),
            started: try row.decode("started"), isRecovering: try row.decode("recovering"))
    }

    /// Whether the other session is in this database, or in a standby's copy of it.
    ///
    /// A promoted standby keeps its cluster's identifier but diverges: the start of the server tells them apart. If a session
    /// may not read the identifier, the databases count as different.
    package func isSame(as other: DatabaseIdentity) -> Bool {
        system != nil && system == other.system && database == other.database
            && (isRecovering || other.isRecovering || started == other.started)
    }
}
