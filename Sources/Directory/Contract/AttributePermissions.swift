internal import Postgres

/// Finds permissions of attributes that no profile has: probably a spelling mistake, because nobody sees the column.
enum AttributePermissions {
    /// The time limit, because this statement reads the profiles of all tenants.
    private static let seconds = 5
    private static let limit = "SET LOCAL statement_timeout = '\(seconds)s'; SET LOCAL lock_timeout = '2s'"

    /// - Returns: a note for each such permission, or one if the profiles cannot be read: other inspections report why.
    static func notes(
        _ reading: DirectoryInspection.Reading, on connection: PostgresConnection
    ) async throws -> [String] {
        let permissions = Set(reading.attributes.compactMap(\.permission)).sorted()
        guard !permissions.isEmpty else { return [] }
        let unknown: [String]
        do {
            unknown = try await connection.withTransaction(readOnly: true, role: reading.role) { connection in
                try await connection.script("read-limit", limit)
                return try await connection.query(query(permissions)).map { try $0.decode("permission") }
            }
        } catch let error as PostgresError where error.code == .statement {
            try Task.checkCancellation()
            return ["the check cannot search the profiles for the permissions of attributes within \(seconds) s"]
        }
        return unknown.map { permission in
            let titles = reading.attributes.filter { $0.permission == permission }.map { "\"\($0.title)\"" }
            return
                "no profile has the permission \"\(permission)\", so nobody sees \(titles.joined(separator: ", ")): give it to a profile, or correct attributes in the configuration"
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
