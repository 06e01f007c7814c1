package import Directory
package import Postgres

/// Checks that a database still has the privileges that the migrations granted.
///
/// It reads the grants from the migrations themselves, so a new migration needs no change here.
package enum SchemaGrants {
    struct Grant: Equatable {
        /// `table`, `schema`, `sequence` or `function`.
        let kind: String
        /// Without a schema.
        let name: String
        let privilege: String
        /// nil for all columns.
        let column: String?
        let role: String
        /// The statement of the migration.
        let statement: String
    }

    /// - Parameter roles: the roles of the calling process.
    /// - Returns: the missing privileges, each with the statement that grants it.
    package static func faults(
        roles: [String], on connection: isolated PostgresConnection
    ) async throws -> [ContractFault] {
        let grants = Migrator.statements.flatMap(Self.grants).filter { roles.contains($0.role) }
        let rows = try await connection.query(
            Query(
                "schema-grants",
                """
                SELECT w.place FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                    WITH ORDINALITY AS w (kind, name, privilege, attribute, role, place)
                LEFT JOIN pg_roles r ON r.rolname = w.role
                LEFT JOIN pg_namespace n ON n.nspname = 'adminexport'
                LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND w.kind IN ('table', 'sequence')
                LEFT JOIN pg_proc f ON f.pronamespace = n.oid AND f.proname = w.name AND w.kind = 'function'
                LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.attribute AND NOT a.attisdropped
                WHERE NOT coalesce(CASE
                    WHEN w.kind = 'schema' THEN has_schema_privilege(r.oid, n.oid, w.privilege)
                    WHEN w.kind = 'function' THEN has_function_privilege(r.oid, f.oid, w.privilege)
                    WHEN w.kind = 'sequence' THEN has_sequence_privilege(r.oid, c.oid, w.privilege)
                    WHEN w.attribute = '' THEN has_table_privilege(r.oid, c.oid, w.privilege)
                    ELSE has_column_privilege(r.oid, c.oid, a.attnum, w.privilege) END, false)
                ORDER BY w.place
                """,
                [
                    .texts(grants.map(\.kind)), .texts(grants.map(\.name)), .texts(grants.map(\.privilege)),
                    .texts(grants.map { $0.column ?? "" }), .texts(grants.map(\.role)),
                ]))
        var faults: [ContractFault] = []
        for row in rows {
            let grant = grants[try row.decode("place", as: Int.self) - 1]
            let column = grant.column.map { " (\($0))" } ?? ""
            let fault = ContractFault(
                "\(grant.role) lacks \(grant.privilege)\(column) on the \(grant.kind) adminexport.\(grant.name)",
                grant.statement)
            if !faults.contains(where: { $0.remedy == fault.remedy }) { faults.append(fault) }
        }
        return faults
    }

    /// The grants of a migration to the service's roles.
    static func grants(_ sql: String) -> [Grant] {
        let text = sql.replacing(/--[^\n]*/, with: "").replacing(/\s+/, with: " ")
        return text.matches(of: /GRANT ([A-Z]+(?: ?\([^)]*\))?(?:, [A-Z]+(?: ?\([^)]*\))?)*) ON ([^;]+?) TO ([^;]+?);/)
            .flatMap {
                match in
                var names = String(match.2)
                var kind = "table"
                for word in ["SCHEMA", "SEQUENCE", "FUNCTION"] where names.hasPrefix(word + " ") {
                    names.removeFirst(word.count + 1)
                    kind = word.lowercased()
                }
                let privileges = match.1.matches(of: /([A-Z]+)(?: ?\(([^)]*)\))?/)
                return names.split(separator: ", ").flatMap { name in
                    privileges.flatMap { privilege -> [Grant] in
                        let columns = privilege.2.map { $0.split(separator: ", ").map { String($0) as String? } } ?? [nil]
                        return columns.flatMap { column in
                            match.3.split(separator: ", ").map { role in
                                Grant(
                                    kind: kind, name: String(name.trimmingPrefix("adminexport.").prefix { $0 != "(" }),
                                    privilege: String(privilege.1), column: column, role: String(role),
                                    statement: String(match.0.dropLast()))
                            }
                        }
                    }
                }
            }
    }
}
