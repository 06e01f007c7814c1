internal import Postgres

/// Finds permissions of attributes that no profile has: probably a spelling mistake, because nobody sees the column.
enum AttributePermissions {
    /// - Returns: a note for each such permission.
    static func notes(
        _ attributes: [Attribute], on connection: isolated PostgresConnection
    ) async throws -> [String] {
        let permissions = Set(attributes.compactMap(\.permission)).sorted()
        guard !permissions.isEmpty else { return [] }
        return try await connection.query(query(permissions)).map { row in
            let permission: String = try row.decode("permission")
            let titles = attributes.filter { $0.permission == permission }.map { "\"\($0.title)\"" }
            return
                "no profile has the permission \(permission), so nobody sees \(titles.joined(separator: ", ")): give it to a profile, or correct attributes in the configuration"
        }
    }

    private static func query(_ permissions: [String]) -> Query {
        Query(
            "unknown-permissions",
            """
            SELECT w.permission FROM unnest($1::text[]) AS w (permission)
            WHERE NOT EXISTS (SELECT FROM directory.profile p WHERE w.permission = ANY (p.permissions::text[]))
            """, [.texts(permissions)])
    }
}
