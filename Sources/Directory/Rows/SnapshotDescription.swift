internal import Postgres

/// What the sheet about an export states besides the rows: names and times as a person reads them.
package struct SnapshotDescription: Sendable, Equatable {
    /// The tenant's name; empty if the directory has none.
    package let tenantName: String
    /// The time of the request, `yyyy-mm-dd hh:mm:ss ±hh:mm` in the tenant's time zone.
    package let requestedAt: String
    /// The time of the snapshot, in the same form.
    package let takenAt: String
    /// The names of the actor's own groups, in code point order, up to ``maxGroups``; none if the scope is the whole tenant.
    package let groups: [String]
    /// Whether the actor has more groups of its own.
    package let hasMoreGroups: Bool

    /// The maximum number of names.
    package static let maxGroups = 15

    /// Reads the description in the transaction of the snapshot, whose settings are the tenant, the time zone and the actor's groups.
    ///
    /// - Parameter requestedAt: when the export was requested.
    init(_ queries: SnapshotQueries, requestedAt: Timestamp, on connection: isolated PostgresConnection) async throws {
        guard let row = try await connection.query(queries.description(requestedAt: requestedAt)).first else {
            throw DirectoryError.denied(.unknownTenant)
        }
        let groups: [String] = try row.decode("groups")
        tenantName = try row.decodeIfPresent("tenant") ?? ""
        self.requestedAt = try row.decode("requested_at")
        takenAt = try row.decode("taken_at")
        self.groups = Array(groups.prefix(Self.maxGroups))
        hasMoreGroups = groups.count > Self.maxGroups
    }
}

extension SnapshotQueries {
    /// The names and times of ``SnapshotDescription``. Names are cut to a length that a person reads.
    func description(requestedAt: Timestamp) -> Query {
        let form = "'YYYY-MM-DD HH24:MI:SS TZH:TZM'"
        let groups =
            if case .groups = scope {
                """
                ARRAY(SELECT left(g.name::text, 80) FROM directory.administrator_group g
                      WHERE g.tenant_id = t.id AND g.id = ANY (current_setting('adminexport.roots')::\(keys.group.rawValue)[])
                      ORDER BY g.name::text COLLATE "C" LIMIT \(SnapshotDescription.maxGroups + 1))
                """
            } else {
                "ARRAY[]::text[]"
            }
        return Query(
            "snapshot-description",
            """
            SELECT left(t.name::text, 500) AS tenant, to_char(now(), \(form)) AS taken_at,
                to_char('1970-01-01 00:00+00'::timestamptz + $1::bigint * interval '1 microsecond', \(form)) AS requested_at,
                \(groups) AS groups
            FROM directory.tenant t WHERE t.id = current_setting('adminexport.tenant')::\(keys.tenant.rawValue)
            """, [.integer(Int(requestedAt.microseconds))])
    }
}
