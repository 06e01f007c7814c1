internal import Directory
internal import Postgres

/// The statements of a page of accounts. Values are parameters; the text contains words of the program only.
struct AccountQueries {
    /// Characters of a text; a longer one is cut.
    private static let maxTextLength = 500
    /// In milliseconds.
    static let countTimeout = 2_000

    /// The maximum number of elements of a list.
    private static let maxElements = 100

    let visible: VisibleAdministrators
    let query: AccountQuery
    /// False if no text of the database can contain the search.
    let mayMatch: Bool

    var isBackwards: Bool {
        if case .before = query.position { true } else { false }
    }

    /// The condition for accounts that are visible, have the status and contain the text. A search reads every visible administrator.
    private var matching: (condition: String, parameters: [Query.Parameter]) {
        var condition = visible.condition
        if query.status == .disabled { condition += " AND a.status <> 'enabled'" }
        guard mayMatch else { return (condition + " AND false", []) }
        guard !query.search.isEmpty else { return (condition, []) }
        let columns = ["name", "email", "phone"]
        condition +=
            " AND ("
            + columns.map { "position(lower($1) IN lower(a.\($0)::text)) > 0" }.joined(separator: " OR ") + ")"
        return (condition, [.text(query.search)])
    }

    var count: Query {
        let (condition, parameters) = matching
        return Query(
            "count-accounts",
            """
            SELECT count(*) AS matches
            FROM (SELECT FROM directory.administrator a WHERE \(condition) LIMIT \(AccountQuery.maxCounted + 1)) AS counted
            """, parameters)
    }

    /// Reads one row more than the page has, to find out whether there are more. Uses the index on `administrator (tenant_id, id)`.
    var page: Query {
        var (condition, parameters) = matching
        func turn(_ comparison: String, _ key: String) {
            parameters.append(.text(key))
            condition += " AND a.id \(comparison) $\(parameters.count)::\(visible.keys.administrator.rawValue)"
        }
        switch query.position {
        case .first: break
        case .after(let key): turn(">", key)
        case .before(let key): turn("<", key)
        }
        func text(_ expression: String) -> String { "left(\(expression)::text, \(Self.maxTextLength))" }
        func links(_ relation: String, _ column: String, _ target: String) -> String {
            """
            FROM directory.\(relation) l
            JOIN directory.\(target) n ON n.id = l.\(column) AND n.tenant_id = \(visible.tenant)
            WHERE l.administrator_id = a.id
            """
        }
        func names(_ links: String) -> String {
            "ARRAY(SELECT \(text("n.name")) \(links) ORDER BY n.name::text COLLATE \"C\")"
        }
        let mayName = visible.mayNameGroup
        let secondaryGroups = links("administrator_secondary_group", "group_id", "administrator_group")
        let hiddenGroups =
            mayName("n.id").map { mayNameLink in
                "(SELECT count(*) \(secondaryGroups) AND NOT (\(mayNameLink)))"
                    + " + (g.id IS NOT NULL AND NOT (\(mayName("g.id") ?? "true")))::int"
            } ?? "0::bigint"
        let attributes = visible.attributes.enumerated().map { index, attribute in
            ", \(Self.value(attribute)) AS \(Self.name(ofAttribute: index))"
        }.joined()
        return Query(
            "accounts",
            """
            SELECT a.id::text AS key, coalesce(\(text("a.name")), '') AS name, coalesce(\(text("a.email")), '') AS email,
                \(text("a.phone")) AS phone, \(text("p.name")) AS profile,
                \(mayName("g.id").map { "CASE WHEN \($0) THEN \(text("g.name")) END" } ?? text("g.name")) AS main_group,
                \(names(secondaryGroups + (mayName("n.id").map { " AND \($0)" } ?? ""))) AS secondary_groups,
                \(hiddenGroups) AS hidden_groups,
                \(names(links("administrator_team", "team_id", "team"))) AS teams,
                coalesce(to_char(a.created_at, 'YYYY-MM-DD'), '') AS created,
                coalesce(to_char(a.updated_at, 'YYYY-MM-DD'), '') AS updated, a.status = 'enabled' AS is_enabled\(attributes)
            FROM directory.administrator a
            LEFT JOIN directory.profile p ON p.id = a.profile_id AND p.tenant_id = \(visible.tenant)
            LEFT JOIN directory.administrator_group g ON g.id = a.main_group_id AND g.tenant_id = \(visible.tenant)
            WHERE \(condition)
            ORDER BY a.id \(isBackwards ? "DESC" : "ASC") LIMIT \(query.limit + 1)
            """, parameters)
    }

    /// The name of an attribute in the rows.
    static func name(ofAttribute index: Int) -> String { "attribute_\(index)" }

    private static func value(_ attribute: Attribute) -> String {
        let column = "a.\(attribute.quoted)"
        return switch attribute.kind {
        case .text: "left(\(column)::text, \(maxTextLength))"
        // PostgreSQL converts a date to a time before to_char, and some dates have none. The session's date style is ISO.
        case .date: "\(column)::text"
        case .datetime: "to_char(\(column), 'YYYY-MM-DD HH24:MI')"
        case .boolean: column
        case .list:
            """
            CASE WHEN \(column) IS NOT NULL THEN
                ARRAY(SELECT left(e, \(maxTextLength)) FROM unnest(\(column)::text[]) WITH ORDINALITY AS u (e, place)
                      WHERE e IS NOT NULL ORDER BY place LIMIT \(maxElements)) END
            """
        }
    }

    static func person(_ identity: ActorIdentity, _ keys: KeyTypes) -> Query {
        Query(
            "person",
            """
            SELECT left(a.name::text, \(maxTextLength)) AS name, left(t.name::text, \(maxTextLength)) AS tenant,
                t.time_zone::text AS time_zone
            FROM directory.administrator a JOIN directory.tenant t ON t.id = a.tenant_id
            WHERE a.id = $1::\(keys.administrator.rawValue) AND t.id = $2::\(keys.tenant.rawValue)
            """, [.text(identity.actorKey), .text(identity.tenantKey)])
    }

    /// The first account of each profile. Uses the index on `administrator (tenant_id, id)`.
    static let examples = Query(
        "example-actors",
        """
        SELECT t.slug::text AS slug, t.name::text AS tenant, a.email, a.name, p.name::text AS profile
        FROM (SELECT id, slug, name FROM directory.tenant ORDER BY slug LIMIT 5) AS t
        CROSS JOIN LATERAL (SELECT id, name FROM directory.profile WHERE tenant_id = t.id ORDER BY id LIMIT 10) AS p
        CROSS JOIN LATERAL (
            SELECT email::text AS email, name::text AS name FROM directory.administrator
            WHERE tenant_id = t.id AND profile_id = p.id AND status = 'enabled' ORDER BY id LIMIT 1) AS a
        ORDER BY t.slug, p.id
        """)
}
