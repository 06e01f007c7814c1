internal import Postgres

/// Finds what keeps a role from rows of the directory: missing privileges, owners of views, row-level security.
///
/// It reads the catalogue, which describes every role to every other one. So a process that only serves callers also detects
/// what is wrong for the processes that run exports.
enum Privileges {
    struct Found {
        var faults: [ContractFault] = []
        /// What may hide rows, without proof.
        var notes: [String] = []
    }

    static func inspect(
        _ role: String, reading reader: DirectoryReader, _ attributes: [Attribute],
        on connection: isolated PostgresConnection
    ) async throws -> Found {
        var found = Found(faults: try await grants(role, reader, attributes, on: connection))
        for row in try await connection.query(reads(role, reader)) { try judge(row, &found) }
        for row in try await connection.query(functions(reader)) {
            let view: String = try row.decode("via")
            let top = "directory.\(try row.decode("top", as: String.self))"
            found.notes.append(
                "the view \(view)\(view == top ? "" : ", which \(top) reads,") calls \(try row.decode("function", as: String.self)), "
                    + "\(try row.decode("why", as: String.self)): this check cannot prove that it returns all rows")
        }
        return found
    }

    private static func relations(_ reader: DirectoryReader) -> [String] {
        ContractColumn.relations.filter { relation in
            ContractColumn.all.contains { $0.relation == relation && $0.readers.contains(reader) }
        }
    }

    // MARK: Privileges on the directory's own relations

    private static func grants(
        _ role: String, _ reader: DirectoryReader, _ attributes: [Attribute], on connection: isolated PostgresConnection
    ) async throws -> [ContractFault] {
        let columns =
            ContractColumn.all.filter { $0.readers.contains(reader) }.map { ($0.relation, $0.name) }
            + attributes.map { ("administrator", $0.column) }
        let rows = try await connection.query(
            Query(
                "directory-grants",
                """
                SELECT w.relation, quote_ident(w.name) AS name, has_schema_privilege(r.oid, c.relnamespace, 'USAGE') AS has_schema,
                    has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT') AS has_column
                FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS w (relation, name, place)
                JOIN pg_roles r ON r.rolname = $1::name
                JOIN pg_class c ON c.relname = w.relation AND c.relnamespace = to_regnamespace('directory')
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
                ORDER BY w.place
                """, [.text(role), .texts(columns.map(\.0)), .texts(columns.map(\.1))]))
        var faults: [ContractFault] = []
        var missing: [(relation: String, columns: [String])] = []
        for row in rows {
            if try !row.decode("has_schema"), faults.isEmpty {
                faults.append(
                    ContractFault(
                        "\(role) may not use the schema directory",
                        "GRANT USAGE ON SCHEMA directory TO \(role); \(ContractFault.migrateGrants)", mayPass: true))
            }
            guard try !row.decode("has_column") else { continue }
            let (relation, column): (String, String) = (try row.decode("relation"), try row.decode("name"))
            if missing.last?.relation == relation {
                missing[missing.count - 1].columns.append(column)
            } else {
                missing.append((relation, [column]))
            }
        }
        for (relation, columns) in missing {
            let list = columns.joined(separator: ", ")
            faults.append(
                ContractFault(
                    "\(role) may not read directory.\(relation) (\(list))",
                    "GRANT SELECT (\(list)) ON directory.\(relation) TO \(role); \(ContractFault.migrateGrants)",
                    mayPass: true))
        }
        return faults
    }

    // MARK: Relations below the views

    /// Every relation that the directory's relations read, with the role whose privileges PostgreSQL checks there: the owner of
    /// the view, or the role of the query for a view with `security_invoker`.
    private static func reads(_ role: String, _ reader: DirectoryReader) -> Query {
        Query(
            "directory-reads",
            """
            WITH RECURSIVE reads (top, via, relation, reader, invoker, stored) AS (
                SELECT c.relname::text, 0::oid, c.oid, r.oid, false, false
                FROM pg_class c JOIN pg_roles r ON r.rolname = $1::name
                WHERE c.relnamespace = to_regnamespace('directory') AND c.relname = ANY ($2::text[])
                UNION
                SELECT s.top, s.relation, d.refobjid, CASE WHEN o.invoker THEN s.reader ELSE v.relowner END, o.invoker,
                    s.stored OR v.relkind = 'm'
                FROM reads s JOIN pg_class v ON v.oid = s.relation AND v.relkind IN ('v', 'm')
                CROSS JOIN LATERAL (SELECT coalesce((SELECT option_value::boolean FROM pg_options_to_table(v.reloptions)
                                    WHERE option_name = 'security_invoker'), false) AS invoker) AS o
                JOIN pg_rewrite w ON w.ev_class = v.oid
                JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid)
            SELECT s.top, c.relkind::text AS kind, format('%I.%I', n.nspname, c.relname) AS relation,
                format('%I', u.rolname) AS reader, u.rolname = $1::name AS is_ours, s.invoker, s.stored,
                c.relkind = 'm' AND NOT c.relispopulated AS is_empty,
                (SELECT format('%I.%I', vn.nspname, v.relname) FROM pg_class v JOIN pg_namespace vn ON vn.oid = v.relnamespace
                 WHERE v.oid = s.via) AS via,
                c.relrowsecurity AND NOT u.rolsuper AND NOT u.rolbypassrls
                    AND (c.relforcerowsecurity OR NOT pg_has_role(u.oid, c.relowner, 'USAGE')) AS is_restricted,
                c.relforcerowsecurity AND pg_has_role(u.oid, c.relowner, 'USAGE') AS is_forced,
                ARRAY(SELECT DISTINCT a.attname::text FROM pg_rewrite w
                      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.relation AND d.refobjsubid > 0
                      JOIN pg_attribute a ON a.attrelid = s.relation AND a.attnum = d.refobjsubid
                      WHERE w.ev_class = s.via AND NOT has_column_privilege(u.oid, s.relation, a.attnum, 'SELECT')
                      ORDER BY 1) AS lacking
            FROM reads s JOIN pg_class c ON c.oid = s.relation JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_roles u ON u.oid = s.reader
            WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
            ORDER BY array_position($2::text[], s.top), relation
            """, [.text(role), .texts(relations(reader))])
    }

    /// The functions that the views call, also through operators or other functions, and that read as another role, have
    /// settings of their own, or return rows that no catalogue describes. The server knows what a function calls only if its
    /// body is parsed (BEGIN ATOMIC).
    private static func functions(_ reader: DirectoryReader) -> Query {
        Query(
            "directory-functions",
            """
            WITH RECURSIVE below (top, via, class, object) AS (
                SELECT c.relname::text, c.oid, 'pg_class'::regclass::oid, c.oid
                FROM pg_class c WHERE c.relnamespace = to_regnamespace('directory') AND c.relname = ANY ($1::text[])
                UNION
                SELECT b.top, CASE WHEN b.class = 'pg_class'::regclass THEN b.object ELSE b.via END, d.refclassid, d.refobjid
                FROM below b
                CROSS JOIN LATERAL (
                    SELECT 'pg_rewrite'::regclass::oid, w.oid FROM pg_rewrite w
                    WHERE b.class = 'pg_class'::regclass AND w.ev_class = b.object AND w.ev_type = '1'
                    UNION ALL
                    SELECT b.class, b.object WHERE b.class <> 'pg_class'::regclass) AS o (class, object)
                JOIN pg_depend d ON d.classid = o.class AND d.objid = o.object
                    AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass))
            SELECT DISTINCT array_position($1::text[], b.top) AS place, b.top,
                (SELECT format('%I.%I', n.nspname, v.relname) FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
                 WHERE v.oid = b.via) AS via,
                format('%I.%I', n.nspname, p.proname) AS function,
                CASE WHEN p.prosecdef THEN 'a function with SECURITY DEFINER'
                    WHEN s.name IS NOT NULL THEN 'a function that sets ' || s.name
                    ELSE 'a function that returns rows' END AS why
            FROM below b JOIN pg_proc p ON b.class = 'pg_proc'::regclass AND p.oid = b.object
            JOIN pg_namespace n ON n.oid = p.pronamespace
            CROSS JOIN LATERAL (SELECT min(split_part(setting, '=', 1)) AS name FROM unnest(p.proconfig) AS setting
                WHERE split_part(setting, '=', 1) IN ('row_security', 'role', 'search_path')) AS s
            WHERE n.nspname <> 'pg_catalog' AND (p.prosecdef OR s.name IS NOT NULL OR p.proretset)
            ORDER BY 1, 3, 4, 5
            """, [.texts(relations(reader))])
    }

    private static func judge(_ row: Row, _ found: inout Found) throws {
        let relation: String = try row.decode("relation")
        let reader: String = try row.decode("reader")
        let top = "directory.\(try row.decode("top", as: String.self))"
        let above = relation == top ? "" : ", which \(top) reads"
        let through = relation == top ? "" : above + ","
        let via: String? = try row.decodeIfPresent("via")
        if try row.decode("is_empty") {
            found.faults.append(
                ContractFault(
                    "the materialized view \(relation)\(through) has not been filled",
                    "REFRESH MATERIALIZED VIEW \(relation)", mayPass: true))
        }
        if try row.decode("kind", as: String.self) == "f" {
            found.notes.append(
                "\(relation)\(through) is a foreign table: this check cannot prove that it returns all rows")
        }
        let isRestricted: Bool = try row.decode("is_restricted")
        guard try !row.decode("stored", as: Bool.self) else {
            // The owner read the rows when the view was refreshed.
            if isRestricted {
                found.notes.append(
                    "row-level security of \(relation)\(through) applies to \(reader), the owner of a materialized view: "
                        + "this check cannot prove that the view contains all rows")
            }
            return
        }
        let lacking: [String] = try row.decode("lacking")
        if !lacking.isEmpty, let via {
            let list = lacking.joined(separator: ", ")
            found.faults.append(
                try row.decode("invoker")
                    ? ContractFault(
                        "\(via) is a view with security_invoker, and \(reader) may not read \(relation) (\(list))\(above)",
                        "ALTER VIEW \(via) SET (security_invoker = false)", mayPass: true)
                    : ContractFault(
                        "\(reader), who owns the view \(via), may not read \(relation) (\(list))\(above)",
                        "GRANT SELECT ON \(relation) TO \(reader)", mayPass: true))
        }
        guard isRestricted else { return }
        let isForced: Bool = try row.decode("is_forced")
        let owner = try row.decode("is_ours") ? "" : ", who owns the view \(via ?? top)"
        found.faults.append(
            ContractFault(
                "row-level security of \(relation)\(through) applies to \(reader)\(owner)"
                    + (isForced ? ", because it is forced" : "") + "; it could hide rows",
                isForced
                    ? "ALTER TABLE \(relation) NO FORCE ROW LEVEL SECURITY, or ALTER ROLE \(reader) BYPASSRLS"
                    : "ALTER ROLE \(reader) BYPASSRLS"))
    }
}
