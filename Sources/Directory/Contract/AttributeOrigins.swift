internal import Postgres

/// Finds from which columns the view `directory.administrator` takes its values.
///
/// PostgreSQL records which columns a view reads (`pg_depend`), but not which of the view's columns use them. If the view reads a column that
/// looks like a credential, every attribute may therefore contain it. A boolean cannot contain a credential; it can only state that one exists.
enum AttributeOrigins {
    /// - Returns: a fault for each attribute that may be made of a credential and is not marked as reviewed.
    static func faults(_ attributes: [Attribute], on connection: isolated PostgresConnection) async throws -> [ContractFault]
    {
        let suspects = attributes.filter { $0.kind != .boolean && !$0.isReviewed }
        guard !suspects.isEmpty else { return [] }
        let origins = try await origins(on: connection)
        guard !origins.isEmpty else { return [] }
        let shown = origins.prefix(5).joined(separator: ", ") + (origins.count > 5 ? " and others" : "")
        return suspects.map { attribute in
            .attribute(
                attribute,
                "the column \(attribute.column) may contain a credential: the view directory.administrator reads \(shown), and PostgreSQL does not record which of its columns use that",
                "check the view; if \(attribute.column) contains no credential, add reviewed: true to its declaration")
        }
    }

    /// The columns below the view that look like credentials, and the functions that may read any column.
    private static func origins(on connection: isolated PostgresConnection) async throws -> [String] {
        let columns = try await connection.query(columnsBelow).compactMap { row -> String? in
            let names: [String] = [try row.decode("name")] + (try row.decode("sources", as: [String].self))
            guard names.contains(where: CredentialName.matches) else { return nil }
            return "\(try row.decode("relation", as: String.self)) (\(names[0]))"
        }
        let functions = try await connection.query(functionsBelow).map { row in
            "the results of \(try row.decode("function", as: String.self))()"
        }
        return columns + functions
    }

    /// The views below `directory.administrator` with their rules, and the relation itself.
    private static let below = """
        WITH RECURSIVE below (relation) AS (
            SELECT c.oid FROM pg_class c
            WHERE c.relnamespace = to_regnamespace('directory') AND c.relname = 'administrator'
            UNION
            SELECT d.refobjid FROM below b JOIN pg_rewrite w ON w.ev_class = b.relation
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass)
        """

    /// The columns that the rules read. A rule that takes a whole row (a variable with the attribute number 0) reads each column of its
    /// relations, and depends on none of them. The result includes the sources of generated columns, and the names that foreign tables give
    /// to columns of another server.
    private static let columnsBelow = Query(
        "attribute-origins",
        """
        \(below)
        SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS relation, a.attname::text AS name,
            ARRAY(SELECT s.attname::text FROM pg_attrdef e
                  JOIN pg_depend g ON g.classid = 'pg_attrdef'::regclass AND g.objid = e.oid
                      AND g.refclassid = 'pg_class'::regclass AND g.refobjid = c.oid AND g.refobjsubid <> a.attnum
                  JOIN pg_attribute s ON s.attrelid = c.oid AND s.attnum = g.refobjsubid
                  WHERE e.adrelid = c.oid AND e.adnum = a.attnum AND a.attgenerated <> '')
                || ARRAY(SELECT o.option_value FROM pg_options_to_table(a.attfdwoptions) o WHERE o.option_name = 'column_name') AS sources
        FROM below b JOIN pg_rewrite w ON w.ev_class = b.relation
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid <> b.relation
        JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.attnum = d.refobjsubid OR w.ev_action::text ~ ':varattno 0 ')
        ORDER BY 1, 2
        """)

    /// The functions that the rules call, except those of PostgreSQL and of extensions. Nothing records what a function reads.
    private static let functionsBelow = Query(
        "attribute-functions",
        """
        \(below)
        SELECT DISTINCT format('%I.%I', n.nspname, p.proname) AS function
        FROM below b JOIN pg_rewrite w ON w.ev_class = b.relation
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
        JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname <> 'pg_catalog' AND NOT EXISTS (
            SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
        ORDER BY 1
        """)
}
