package import Postgres

/// Finds rows that share a key or lack one, in relations where no index and no constraint forbids that.
///
/// It reads every row of such a relation, so it is only for checks on request and for one check after the start of a process.
package enum WrongRows {
    /// The time limit for reading one relation.
    private static let longestRead = "20s"

    /// The result of a search.
    package struct Found: Sendable {
        /// One fault for each relation with wrong rows.
        package var faults: [ContractFault] = []
        /// Relations that could not be read in time.
        package var unread: [String] = []

        /// No faults.
        package init() {}
    }

    /// Searches all relations that the role may read.
    ///
    /// - Parameter reader: which columns the role may read. Relations with other columns are left out.
    package static func find(
        as role: String, reading reader: DirectoryReader, on connection: PostgresConnection
    ) async throws -> Found {
        var found = Found()
        for (relation, column) in try await unproven(on: connection) {
            let columns = [column] + (relation == "tenant" ? [] : ["tenant_id"])
            guard columns.allSatisfy({ reads(relation, $0, reader) }) else { continue }
            let takesName = isNamed(relation) && column == "id" && reads(relation, "name", reader)
            do {
                let row = try await connection.withTransaction(readOnly: true, role: role) { connection in
                    try await connection.script(
                        "read-limit", "SET LOCAL statement_timeout = '\(longestRead)'; SET LOCAL lock_timeout = '2s'")
                    return try await connection.query(wrong(relation, columns, named: takesName)).first
                }
                guard let row else { continue }
                let key: String? = try row.decodeIfPresent("key")
                found.faults.append(
                    key.map { key in
                        (try? row.decode("is_doubled", as: Bool.self)) == true
                            ? .doubled(relation, column, key) : .null(relation, "name", key: key)
                    } ?? .null(relation, column))
            } catch let error as PostgresError where error.code == .statement {
                // The cancellation of this task cancels the statement.
                try Task.checkCancellation()
                // DirectoryInspection reports refused statements. Exports find the wrong rows of a relation that is too large
                // here.
                if error.sqlState == SQLState.queryCanceled { found.unread.append("directory.\(relation)") }
            }
        }
        return found
    }

    private static func reads(_ relation: String, _ column: String, _ reader: DirectoryReader) -> Bool {
        ContractColumn.all.contains { $0.relation == relation && $0.name == column && $0.readers.contains(reader) }
    }

    /// The first rows that share a key, or lack it or their name.
    private static func wrong(_ relation: String, _ columns: [String], named isNamed: Bool) -> Query {
        Query(
            "wrong-rows",
            """
            SELECT \(columns[0])::text AS key, count(*) > 1 AS is_doubled FROM directory.\(relation)
            \(columns[0] == "slug" ? "WHERE slug IS NOT NULL" : "") GROUP BY \(columns.joined(separator: ", "))
            HAVING count(*) > 1 OR \(columns[0]) IS NULL\(isNamed ? " OR bool_or(name IS NULL)" : "") LIMIT 1
            """)
    }

    /// Whether the rows need a name, because other rows refer to them by it.
    private static func isNamed(_ relation: String) -> Bool {
        ["profile", "administrator_group", "team"].contains(relation)
    }

    /// The keys whose uniqueness no unique index proves, or that may be null.
    private static func unproven(on connection: PostgresConnection) async throws -> [(relation: String, column: String)] {
        let keys = ContractColumn.relations.compactMap { relation in
            ContractColumn.all.contains { $0.relation == relation && $0.name == "id" } ? (relation, "id") : nil
        }
        let all = keys + [("tenant", "slug")]
        let rows = try await connection.withTransaction(readOnly: true) { connection in
            try await connection.query(
                Query(
                    "unproven-keys",
                    """
                    SELECT w.relation, w.name
                    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (relation, name, other, place)
                    JOIN pg_class c ON c.relname = w.relation AND c.relnamespace = to_regnamespace('directory')
                    WHERE EXISTS (
                            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN (w.name, w.other)
                                AND NOT a.attisdropped AND NOT a.attnotnull)
                        -- An index binds the rows of a partitioned table's partitions, but not those of tables that inherit.
                        OR c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
                        OR NOT EXISTS (
                            SELECT FROM pg_index i
                            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                                AND (SELECT bool_and(coalesce(a.attname IN (w.name, 'tenant_id'), false))
                                     FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                                     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                                     WHERE k.place <= i.indnkeyatts))
                    ORDER BY w.place
                    """,
                    [
                        .texts(all.map(\.0)), .texts(all.map(\.1)),
                        .texts(all.map { isNamed($0.0) && $0.1 == "id" ? "name" : $0.1 }),
                    ]))
        }
        return try rows.map { (try $0.decode("relation"), try $0.decode("name")) }
    }
}
