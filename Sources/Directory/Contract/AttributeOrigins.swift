internal import Postgres

/// Finds out whether the columns of `directory.administrator` may be made of credentials.
///
/// PostgreSQL records which columns a view reads (`pg_depend`), but not which of the view's columns use them. If the view reads a column that
/// looks like a credential, every attribute may therefore contain it. A boolean cannot contain a credential; it can only state that one exists.
/// Nothing records the keys of documents and the texts of queries that a view contains, so every name and every text of its definition counts.
enum AttributeOrigins {
    /// - Returns: a fault for each attribute that may be made of a credential and is not marked as reviewed.
    static func faults(_ attributes: [Attribute], on connection: isolated PostgresConnection) async throws -> [ContractFault]
    {
        let suspects = attributes.filter { $0.kind != .boolean && !$0.isReviewed }
        guard !suspects.isEmpty else { return [] }
        let own = try await ownOrigins(of: suspects, on: connection)
        let shared = try await sharedOrigins(on: connection)
        return suspects.compactMap { attribute in
            let origins = (own[attribute.column] ?? []) + shared
            guard !origins.isEmpty else { return nil }
            let shown = origins.prefix(5).joined(separator: ", ") + (origins.count > 5 ? " and others" : "")
            return .attribute(
                attribute,
                "the column \(attribute.column) may contain a credential: directory.administrator reads \(shown), and PostgreSQL does not record which of its columns use that",
                "check the view; if \(attribute.column) contains no credential, add reviewed: true to its declaration")
        }
    }

    /// What a column of the relation itself is made of: a generated column of a table, or a column that a foreign table takes from another
    /// server under another name.
    private static func ownOrigins(
        of attributes: [Attribute], on connection: isolated PostgresConnection
    ) async throws -> [String: [String]] {
        let rows = try await connection.query(ownSources(attributes.map(\.column)))
        return try rows.reduce(into: [:]) { origins, row in
            var suspects = try row.decode("sources", as: [String].self).filter(CredentialName.matches)
            if let text = try suspect(in: row.decode("expression")) { suspects.append(text) }
            if !suspects.isEmpty { origins[try row.decode("name")] = suspects }
        }
    }

    /// The columns, names and texts below the view that look like credentials, and the functions that may read any column.
    private static func sharedOrigins(on connection: isolated PostgresConnection) async throws -> [String] {
        let columns = try await connection.query(columnsBelow).compactMap { row -> String? in
            let relation: String = try row.decode("relation")
            let names: [String] = [try row.decode("name")] + (try row.decode("sources", as: [String].self))
            return CredentialName.matches(try row.decode("relation_name")) || names.contains(where: CredentialName.matches)
                ? "\(relation) (\(names[0]))" : nil
        }
        guard columns.isEmpty else { return columns }
        let functions = try await connection.query(functionsBelow).map { row in
            "the results of \(try row.decode("function", as: String.self))()"
        }
        let texts = try await connection.query(definitions).compactMap { row -> String? in
            try suspect(in: row.decode("definition")).map {
                "\($0), in the definition of \(try row.decode("relation", as: String.self))"
            }
        }
        return functions + texts
    }

    /// The first name, text or function of a definition in SQL that suggests a credential.
    static func suspect(in definition: String) -> String? {
        for token in definition.matches(of: /'(?:[^']|'')*'|"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*/).map({
            String($0.output)
        }) {
            if token.hasPrefix("'") {
                if CredentialName.isNamed(in: token) { return "the text \(token.prefix(64))" }
            } else if token.contains(/^(?:query|table|schema|database|cursor)_to_xml|^ts_stat$/) {
                // Functions of PostgreSQL that read whole tables or run queries. It records no dependency on them.
                return "the results of \(token)()"
            } else if token != "key", CredentialName.matches(token) {
                // jsonb_each has a column with the name key.
                return "the name \(token.prefix(64))"
            }
        }
        return nil
    }

    /// The names of the columns and options that a column of the relation is made of.
    private static let sources = """
        ARRAY(SELECT s.attname::text FROM pg_attrdef e
              JOIN pg_depend g ON g.classid = 'pg_attrdef'::regclass AND g.objid = e.oid
                  AND g.refclassid = 'pg_class'::regclass AND g.refobjid = a.attrelid AND g.refobjsubid <> a.attnum
              JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = g.refobjsubid
              WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum AND a.attgenerated <> '')
            || ARRAY(SELECT o.option_value FROM pg_options_to_table(a.attfdwoptions) o WHERE o.option_name = 'column_name')
        """

    private static func ownSources(_ columns: [String]) -> Query {
        Query(
            "attribute-sources",
            """
            SELECT a.attname::text AS name, \(sources) AS sources,
                coalesce((SELECT pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef e
                          WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum AND a.attgenerated <> ''), '') AS expression
            FROM pg_attribute a
            WHERE a.attrelid = to_regclass('directory.administrator') AND a.attnum > 0 AND a.attname = ANY ($1::text[])
            """, [.texts(columns)])
    }

    /// The relations below `directory.administrator` with the relation itself, and what views and generated columns call.
    private static let below = """
        WITH RECURSIVE below (class, object) AS (
            SELECT 'pg_class'::regclass::oid, to_regclass('directory.administrator')::oid
            UNION
            SELECT d.refclassid, d.refobjid FROM below b
            CROSS JOIN LATERAL (
                SELECT 'pg_rewrite'::regclass::oid, w.oid FROM pg_rewrite w WHERE b.class = 'pg_class'::regclass AND w.ev_class = b.object
                UNION ALL
                SELECT 'pg_attrdef'::regclass::oid, e.oid FROM pg_attrdef e
                JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attgenerated <> ''
                WHERE b.class = 'pg_class'::regclass AND e.adrelid = b.object
                UNION ALL
                SELECT b.class, b.object WHERE b.class <> 'pg_class'::regclass) AS o (class, object)
            JOIN pg_depend d ON d.classid = o.class AND d.objid = o.object
                AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass))
        """

    /// The columns that the rules read. A rule that takes a whole row (a variable with the attribute number 0) reads each column of its
    /// relations, and depends on none of them. The result includes the sources of generated columns, and the names that foreign tables give
    /// to columns of another server.
    private static let columnsBelow = Query(
        "attribute-origins",
        """
        \(below)
        SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS relation, c.relname::text AS relation_name, a.attname::text AS name,
            \(sources) AS sources
        FROM below b JOIN pg_rewrite w ON b.class = 'pg_class'::regclass AND w.ev_class = b.object
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid <> b.object
        JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.attnum = d.refobjsubid OR w.ev_action::text ~ ':varattno 0 ')
        ORDER BY 1, 3
        """)

    /// The functions that the rules call, also through operators, except those of PostgreSQL and of extensions. Nothing records what a
    /// function reads. Two extensions run queries that they get as text.
    private static let functionsBelow = Query(
        "attribute-functions",
        """
        \(below)
        SELECT DISTINCT format('%I.%I', n.nspname, p.proname) AS function
        FROM below b JOIN pg_proc p ON b.class = 'pg_proc'::regclass AND p.oid = b.object JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname <> 'pg_catalog' AND NOT EXISTS (
            SELECT FROM pg_depend e JOIN pg_extension x ON x.oid = e.refobjid
            WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e' AND x.extname NOT IN ('dblink', 'tablefunc'))
        ORDER BY 1
        """)

    /// The definitions of the views, and of the generated columns of the tables that they read.
    private static let definitions = Query(
        "attribute-definitions",
        """
        \(below)
        SELECT format('%I.%I', n.nspname, c.relname) AS relation, t.definition
        FROM below b JOIN pg_class c ON b.class = 'pg_class'::regclass AND c.oid = b.object JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT pg_get_viewdef(c.oid) WHERE c.relkind IN ('v', 'm')
            UNION ALL
            SELECT pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef e
            JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attgenerated <> ''
            WHERE e.adrelid = c.oid AND c.oid <> to_regclass('directory.administrator')) AS t (definition)
        ORDER BY 1
        """)
}
