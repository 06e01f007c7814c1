package import Postgres

/// The types of the directory's keys. A platform's tables may use `bigint`, `uuid` or `text`, each relation its own.
///
/// Data never becomes SQL text; a key type does, and is one of three words written here.
package struct KeyTypes: Sendable, Equatable {
    package enum KeyType: String, Sendable {
        case bigint
        case uuid
        case text
    }

    package let tenant: KeyType
    package let profile: KeyType
    package let group: KeyType
    package let team: KeyType
    package let administrator: KeyType

    /// What each column refers to, as `relation.column`.
    private static let references: [(column: String, target: String)] = [
        ("profile.tenant_id", "tenant.id"), ("administrator_group.tenant_id", "tenant.id"),
        ("administrator_group.parent_id", "administrator_group.id"), ("team.tenant_id", "tenant.id"),
        ("administrator.tenant_id", "tenant.id"), ("administrator.profile_id", "profile.id"),
        ("administrator.main_group_id", "administrator_group.id"),
        ("administrator_secondary_group.administrator_id", "administrator.id"),
        ("administrator_secondary_group.group_id", "administrator_group.id"),
        ("administrator_team.administrator_id", "administrator.id"), ("administrator_team.team_id", "team.id"),
    ]

    private static let others = [
        "tenant.slug", "tenant.name", "tenant.time_zone", "profile.name", "profile.permissions", "profile.scope",
        "administrator_group.name", "team.name", "administrator.name", "administrator.email", "administrator.phone",
        "administrator.status", "administrator.created_at", "administrator.updated_at",
    ]

    /// Reads the catalogue and holds the relations to the contract.
    ///
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` naming the column that is missing or has the wrong type;
    ///   ``PostgresError``.
    package static func load(_ connection: isolated PostgresConnection) async throws -> KeyTypes {
        let rows = try await connection.query(
            Query(
                "directory-columns",
                """
                SELECT c.relname || '.' || a.attname AS column, format_type(a.atttypid, NULL)
                    || CASE WHEN a.attcollation NOT IN (0, (SELECT oid FROM pg_collation WHERE collname = 'default'
                                AND collnamespace = 'pg_catalog'::regnamespace))
                       THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END AS type
                FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relnamespace = to_regnamespace('directory') AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
                    AND a.attnum > 0 AND NOT a.attisdropped
                """))
        var types: [String: String] = [:]
        for row in rows { types[try row.decode("column")] = try row.decode("type", as: String.self) }
        func key(_ column: String) throws -> KeyType {
            guard let type = types[column] else { throw missing(column) }
            guard let key = KeyType(rawValue: String(type.prefix { $0 != " " })), !type.contains("varying") else {
                throw DirectoryError.sourceInvalid(
                    "directory.\(column) is \(type); keys are bigint, uuid or text: cast it in the view")
            }
            return key
        }
        for (column, target) in references {
            _ = try (key(column), key(target))
            // Collations count: the ends of a page are compared on both sides, and have to mean the same rows.
            guard types[column] == types[target] else {
                throw DirectoryError.sourceInvalid(
                    "directory.\(column) is \(types[column] ?? ""), but directory.\(target), to which it refers, is \(types[target] ?? "")"
                )
            }
        }
        for column in others where types[column] == nil { throw missing(column) }
        for column in ["tenant.slug", "administrator.email"] {
            // Compared as they are, byte by byte.
            guard let type = types[column], ["text", "character varying"].contains(where: type.hasPrefix) else {
                throw DirectoryError.sourceInvalid(
                    "directory.\(column) is \(types[column] ?? ""), and has to be text or character varying")
            }
        }
        return KeyTypes(
            tenant: try key("tenant.id"), profile: try key("profile.id"), group: try key("administrator_group.id"),
            team: try key("team.id"), administrator: try key("administrator.id"))
    }

    private static func missing(_ column: String) -> DirectoryError {
        .sourceInvalid("there is no directory.\(column): map it as a view, or run adminexportd migrate --with-directory")
    }
}
