package import Postgres

/// The result of an inspection of the directory, for one role.
///
/// It has two sources. The catalogue names each fault so that an operator can correct it. `EXPLAIN` of every statement, under
/// the role that runs it, finds the rest: PostgreSQL checks privileges when a statement starts, not when it is prepared.
package struct DirectoryInspection: Sendable {
    /// nil if a key is missing or has a type that keys cannot have.
    package private(set) var keys: KeyTypes?
    /// What violates the contract.
    package private(set) var faults: [ContractFault] = []
    /// A digest of the columns' types.
    private(set) var types: String?
    /// Why rows may be hidden from the role, without proof.
    package private(set) var notes: [String] = []

    /// A result without faults and key types, to which others are added.
    package init() {}

    init(keys: KeyTypes? = nil, faults: [ContractFault], types: String? = nil) {
        self.keys = keys
        self.faults = faults
        self.types = types
    }

    /// Adds the result of an inspection for another role or in another database.
    package mutating func add(_ other: DirectoryInspection) {
        keys = keys ?? other.keys
        types = types ?? other.types
        faults += other.faults.filter { !faults.contains($0) }
        notes += other.notes.filter { !notes.contains($0) }
    }

    /// A role, and the statements by which it reads the directory.
    package struct Reading: Sendable {
        /// The role that runs the statements.
        package let role: String
        /// Which columns of the contract the role reads.
        package let reader: DirectoryReader
        /// Whether to explain the statements, which requires a login that may assume the role. If not, only the catalogue is
        /// read.
        package let isExplained: Bool
        /// The further columns that the role reads.
        package let attributes: [Attribute]
        /// The statements, for the types of the keys.
        package let statements: @Sendable (KeyTypes) -> [Query]

        /// A role with its statements.
        package init(
            role: String, reader: DirectoryReader, isExplained: Bool, attributes: [Attribute] = [],
            statements: @escaping @Sendable (KeyTypes) -> [Query]
        ) {
            self.role = role
            self.reader = reader
            self.isExplained = isExplained
            self.attributes = attributes
            self.statements = statements
        }
    }

    /// The time for which an inspection waits for a session that alters a relation.
    private static let lockTimeout = "2s"

    /// Inspects the directory.
    ///
    /// - Throws: ``PostgresError`` if the database cannot answer now.
    package static func inspect(
        _ reading: Reading, on connection: PostgresConnection
    ) async throws -> DirectoryInspection {
        let (types, privileges, contradicted, origins) = try await connection.withTransaction(readOnly: true) { connection in
            let types = try await ColumnTypes.load(connection)
            let contradicted = types.faults(reading.attributes)
            // A column that does not exist is made of nothing.
            let others = contradicted.isEmpty ? reading.attributes : reading.attributes.filter { types.faults([$0]).isEmpty }
            return (
                types,
                try await Privileges.inspect(reading.role, reading: reading.reader, reading.attributes, on: connection),
                contradicted, try await AttributeOrigins.faults(others, on: connection)
            )
        }
        var inspection = DirectoryInspection()
        inspection.keys = types.keys
        inspection.types = types.digestValue
        inspection.faults = types.faults + contradicted + origins + privileges.faults
        inspection.notes = privileges.notes
        if reading.isExplained, let keys = types.keys {
            let refused = try await connection.withTransaction(readOnly: true, role: reading.role) { connection in
                try await connection.script("lock-limit", "SET LOCAL lock_timeout = '\(lockTimeout)'")
                try await connection.query(DirectoryStatements.settings(keys))
                return try await refusal(of: reading.statements(keys), on: connection)
            }
            inspection.notes += try await AttributePermissions.notes(reading, on: connection)
            // A fault that the catalogue names explains the refusal.
            if let refused, inspection.faults.isEmpty { inspection.faults.append(refused) }
        }
        return inspection
    }

    /// Returns the fault for the first statement that PostgreSQL refuses.
    static func refusal(
        of statements: [Query], on connection: isolated PostgresConnection
    ) async throws -> ContractFault? {
        for statement in statements {
            do {
                try await connection.explain(statement)
            } catch let error as PostgresError where error.sqlState == SQLState.lockNotAvailable {
                // Somebody alters the relation; the next inspection sees the result.
                return nil
            } catch let error as PostgresError where error.code == .statement && !error.isTransient {
                // The statements contain no data, so the message has only names of relations, columns and functions.
                return ContractFault(
                    "PostgreSQL refuses the statement \(statement.name): \(error.serverMessage ?? error.description)",
                    "check the views of the schema directory and the privileges of the service's roles", mayPass: true)
            }
        }
        return nil
    }
}

extension PostgresConnection {
    /// Lets the server plan a statement and check its privileges, in the current transaction, without running it.
    fileprivate func explain(_ query: Query) async throws {
        guard !query.parameters.isEmpty else {
            return try await script(query.name, "EXPLAIN \(query.sql)")
        }
        let values = query.parameters.map { _ in "NULL" }.joined(separator: ", ")
        // A prepared statement survives the rollback to the savepoint, so its name is freed after that.
        do {
            try await script(
                query.name,
                """
                SAVEPOINT explained; PREPARE directory_explained AS \(query.sql);
                EXPLAIN EXECUTE directory_explained (\(values)); DEALLOCATE directory_explained; RELEASE explained
                """)
        } catch {
            try? await script("explain-undone", "ROLLBACK TO explained; DEALLOCATE directory_explained")
            throw error
        }
    }
}
