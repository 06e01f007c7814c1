internal import Postgres

/// The statements of one export's snapshot. COPY reads what may have many rows. It takes no parameters, so values reach it
/// through transaction-local settings; the text consists of words of the program and, for many rows, the tenant's key as a constant.
struct SnapshotQueries {
    /// The longest text that is read, in characters: more than the 32,767 UTF-16 units of a cell, so that the writer sees and
    /// counts the cut. One unit may need two characters (CR LF is one in a cell), or three bytes if the server counts bytes as
    /// characters (`SQL_ASCII`).
    private static let longestText = 3 * 32_768

    let keys: KeyTypes
    let includeDisabled: Bool
    let scope: Scope
    let otherGroups: OtherGroups
    /// The further columns that the actor sees.
    let attributes: [Attribute]
    /// The tenant's key as a constant, for statements that are not prepared; nil if they read it from the setting.
    private var tenantLiteral: KeyLiteral?

    init(
        keys: KeyTypes, includeDisabled: Bool, scope: Scope, otherGroups: OtherGroups, attributes: [Attribute] = []
    ) {
        self.keys = keys
        self.includeDisabled = includeDisabled
        self.scope = scope
        self.otherGroups = otherGroups
        self.attributes = attributes
    }

    /// The fields of a row of ``administrators(first:)``.
    var fields: RowFields { RowFields(hasStatus: includeDisabled, attributes: attributes.count) }

    /// Whether the actor sees some groups only, and must not see the names of the others.
    var hidesOtherGroups: Bool { scope != .tenant && otherGroups == .hide }

    /// A condition: the actor sees the group. For an actor whose scope is groups.
    func isVisibleGroup(_ key: String) -> String {
        "\(key) IN (SELECT unnest(current_setting('adminexport.groups')::\(keys.group.rawValue)[]))"
    }

    /// The statements with the tenant's key as a constant, if it can be one. PostgreSQL reads a setting again for each row.
    ///
    /// Only for statements that are not prepared: each tenant has its own texts. The bounds of a page stay settings, because with
    /// constants PostgreSQL scans whole tables for the links of a small tenant.
    func withConstant(tenant: String) -> SnapshotQueries {
        var queries = self
        queries.tenantLiteral = KeyLiteral(tenant, of: keys.tenant)
        return queries
    }

    private func setting(_ name: String, _ type: KeyTypes.KeyType) -> String {
        "current_setting('adminexport.\(name)')::\(type.rawValue)"
    }

    var tenant: String { tenantLiteral?.sql ?? setting("tenant", keys.tenant) }

    /// The condition that decides which administrators are exported. Pages, groups, teams and the count share it, so that the
    /// streams can be merged by equality.
    var visible: String {
        var condition = "a.tenant_id = \(tenant)"
        if !includeDisabled { condition += " AND a.status = 'enabled'" }
        if case .groups = scope {
            condition += """
                 AND (\(isVisibleGroup("a.main_group_id")) OR EXISTS (
                    SELECT FROM directory.administrator_secondary_group s
                    WHERE s.administrator_id = a.id AND \(isVisibleGroup("s.group_id"))))
                """
        }
        return condition
    }

    /// The groups of the actor and all groups below them, within the tenant. With UNION, a cycle ends.
    var visibleGroups: Query {
        Query(
            "visible-groups",
            """
            WITH RECURSIVE visible (id) AS (
                SELECT g.id FROM directory.administrator_group g
                WHERE g.tenant_id = \(tenant)
                    AND g.id = ANY (current_setting('adminexport.roots')::\(keys.group.rawValue)[])
                UNION
                SELECT g.id FROM directory.administrator_group g JOIN visible v ON g.parent_id = v.id
                WHERE g.tenant_id = \(tenant))
            SELECT set_config('adminexport.groups', coalesce(array_agg(id), '{}')::text, true) IS NOT NULL AS done
            FROM visible
            """)
    }

    /// The time of the snapshot, its day in the tenant's time zone, the number of administrators, and the bytes of their texts
    /// and of the names to which they refer; null if there are more than `few`.
    func moment(few: Int) -> Query {
        func bytes(_ relation: StaticString) -> String {
            """
            (SELECT CASE WHEN count(*) <= \(few) THEN coalesce(sum(octet_length(name::text)), 0)::bigint END
             FROM (SELECT name FROM directory.\(relation) WHERE tenant_id = \(tenant) LIMIT \(few + 1)) AS names)
            """
        }
        let attributeBytes = attributes.filter { $0.kind == .text || $0.kind == .list }.map {
            " + coalesce(octet_length(a.\($0.quoted)::text), 0)"
        }.joined()
        return Query(
            "moment",
            """
            SELECT now() AS taken_at, to_char(now(), 'YYYY-MM-DD') AS day, counted.rows, \(ColumnTypes.digest) AS types,
                CASE WHEN counted.rows <= \(few) THEN (
                    SELECT coalesce(sum(octet_length(a.name::text) + octet_length(a.email::text)
                        + coalesce(octet_length(a.phone::text), 0)\(attributeBytes)), 0)::bigint
                    FROM directory.administrator a WHERE \(visible)) END AS bytes,
                \(bytes("profile")) AS profile_bytes, \(bytes("administrator_group")) AS administrator_group_bytes,
                \(bytes("team")) AS team_bytes
            FROM (SELECT count(*) AS rows FROM directory.administrator a WHERE \(visible)) AS counted
            """)
    }

    /// Keys and names, in code point order of the names.
    func names(_ relation: StaticString) -> Query {
        Query(
            "names-of-\(relation)",
            """
            SELECT id, name::text FROM directory.\(relation) WHERE tenant_id = \(tenant) ORDER BY name::text COLLATE "C"
            """)
    }

    /// Keys of the tenant's groups, the names of those that the actor sees, and whether the actor sees the group. In code point order
    /// of the names; the other groups come last.
    private var namesOfVisibleGroups: Query {
        Query(
            "names-of-visible-groups",
            """
            SELECT id, CASE WHEN is_visible THEN name::text END AS name, is_visible
            FROM (SELECT id, name, \(isVisibleGroup("id")) AS is_visible
                  FROM directory.administrator_group WHERE tenant_id = \(tenant)) AS g
            ORDER BY is_visible DESC, CASE WHEN is_visible THEN name::text END COLLATE "C"
            """)
    }

    /// Keys and names of the tenant's groups, as the actor sees them.
    var groupNames: Query { hidesOtherGroups ? namesOfVisibleGroups : names("administrator_group") }

    /// Keys, keys of the parents, and names of the groups that the actor sees, in code point order of the names.
    var groupTree: Query {
        var condition = "tenant_id = \(tenant)"
        if case .groups = scope { condition += " AND \(isVisibleGroup("id"))" }
        return Query(
            "group-tree",
            """
            SELECT id, parent_id, name::text FROM directory.administrator_group WHERE \(condition)
            ORDER BY name::text COLLATE "C", id
            """)
    }

    /// Administrators after `adminexport.last`, the end of the previous page, or all.
    ///
    /// Needs an index on `administrator (tenant_id, id)`.
    func administrators(first: Bool) -> Query {
        // `left` reads each character, and `octet_length` reads none.
        func text(_ column: String) -> String {
            """
            CASE WHEN octet_length(a.\(column)::text) <= \(Self.longestText) THEN a.\(column)::text
                ELSE left(a.\(column)::text, \(Self.longestText)) END
            """
        }
        /// In the form in which ``AdministratorRow`` reads it.
        func value(_ attribute: Attribute) -> String {
            switch attribute.kind {
            case .text: text(attribute.quoted)
            case .date: "a.\(attribute.quoted)::date"
            // The session has the tenant's time zone. In it, the first and the last days of the type can be out of range.
            case .datetime:
                """
                CASE WHEN a.\(attribute.quoted) BETWEEN '4713-01-01 00:00+00 BC' AND '294276-12-30 00:00+00' OR NOT isfinite(a.\(attribute.quoted))
                    THEN a.\(attribute.quoted)::timestamp ELSE a.\(attribute.quoted) AT TIME ZONE 'UTC' END
                """
            case .boolean: "a.\(attribute.quoted)::boolean"
            case .list: "a.\(attribute.quoted)::text[]"
            }
        }
        let further = (includeDisabled ? [", a.status = 'enabled'"] : []) + attributes.map { ", " + value($0) }
        return Query(
            "administrators",
            """
            SELECT a.id, \(text("name")), \(text("email")), \(text("phone")), a.profile_id,
                a.main_group_id, a.created_at::date, a.updated_at::date\(further.joined())
            FROM directory.administrator a
            WHERE \(visible) \(first ? "" : "AND a.id > \(setting("last", keys.administrator))")
            ORDER BY a.id
            """)
    }

    /// Sets the end of a page. The server converts the key, which is in the binary form that it sent, to text.
    func setLast(_ last: [UInt8]) -> Query {
        Query("set-last", "SELECT set_config('adminexport.last', \(spelt(1)), true) IS NOT NULL AS done", [.bytes(last)])
    }

    /// Sets the ends of a page, for the statements that read its links.
    func setRange(after: [UInt8]?, last: [UInt8]) -> Query {
        Query(
            "set-range",
            """
            SELECT set_config('adminexport.after', coalesce(\(spelt(1)), ''), true) IS NOT NULL AS after,
                set_config('adminexport.last', \(spelt(2)), true) IS NOT NULL AS last
            """, [after.map { .bytes($0) } ?? .null, .bytes(last)])
    }

    /// Finds an administrator that occurs more than once, or has no key, after an export has read another number of rows than
    /// it has counted. This statement is prepared, so it has no constant.
    var doubled: Query {
        var queries = self
        queries.tenantLiteral = nil
        return Query(
            "doubled-administrator",
            """
            SELECT a.id::text AS key FROM directory.administrator a WHERE \(queries.visible)
            GROUP BY a.id HAVING count(*) > 1 OR a.id IS NULL LIMIT 1
            """)
    }

    /// Counts the links to a group or a team of another tenant in which the same person has an account. They belong to that
    /// account and are no fault. For an export that has read links without a target in its own tenant.
    func linksElsewhere(_ relation: StaticString, _ column: StaticString, _ target: StaticString) -> Query {
        Query(
            "links-elsewhere-of-\(relation)",
            """
            SELECT count(*) AS links
            FROM directory.administrator a JOIN directory.\(relation) l ON l.administrator_id = a.id
            WHERE \(visible)
                AND NOT EXISTS (SELECT FROM directory.\(target) n WHERE n.id = l.\(column) AND n.tenant_id = \(tenant))
                AND EXISTS (SELECT FROM directory.\(target) n JOIN directory.administrator o ON o.tenant_id = n.tenant_id
                            WHERE n.id = l.\(column) AND o.id = a.id)
            """)
    }

    /// Every statement, in each form that it can have.
    var all: [Query] {
        let key = [UInt8](keys.administrator.sample.utf8)
        let border: RowPage.Keys = .keys(after: nil, last: key)
        let range: RowPage.Keys = .keys(after: key, last: key)
        var queries = [
            visibleGroups, moment(few: PageReader.maxPreparedRows), names("profile"), groupNames, names("team"),
            groupTree, administrators(first: true), administrators(first: false), setLast(key),
            setRange(after: key, last: key), doubled,
            description(requestedAt: Timestamp(microseconds: 0)),
        ]
        for (relation, column, target) in Self.linkRelations {
            queries += [.all, border, range].map { links(relation, column, $0) }
            queries.append(linksElsewhere(relation, column, target))
        }
        return queries
    }

    static var linkRelations: [(relation: StaticString, column: StaticString, target: StaticString)] {
        [("administrator_secondary_group", "group_id", "administrator_group"), ("administrator_team", "team_id", "team")]
    }

    private func spelt(_ parameter: Int) -> String {
        "$\(parameter)::\(keys.administrator.rawValue)::text"
    }

    /// The links of a page's administrators.
    ///
    /// The range applies to both sides of the join, so that PostgreSQL reads both by their indexes and merges them. Needs an
    /// index on the link relation's `administrator_id`.
    func links(_ relation: StaticString, _ column: StaticString, _ range: RowPage.Keys) -> Query {
        let last = setting("last", keys.administrator)
        let after = setting("after", keys.administrator)
        var condition = visible
        if case .keys(let lower, _) = range {
            condition += " AND a.id <= \(last) AND l.administrator_id <= \(last)"
            if lower != nil { condition += " AND a.id > \(after) AND l.administrator_id > \(after)" }
        }
        return Query(
            "links-of-\(relation)",
            """
            SELECT l.administrator_id, l.\(column)
            FROM directory.administrator a JOIN directory.\(relation) l ON l.administrator_id = a.id
            WHERE \(condition) ORDER BY a.id
            """)
    }
}
