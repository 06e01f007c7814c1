package import Postgres

/// Removes old months of the audit trail, as its owner: the service itself can add events and nothing else.
package struct AuditRetention: Sendable {
    package init() {}

    /// Removes the months that ended before a day.
    ///
    /// A month is a partition and goes as a whole. Events of such months that lie in the default partition, because theirs was
    /// not made in time, go too.
    ///
    /// - Parameter day: `yyyy-mm-dd`, in UTC.
    /// - Returns: the months, as `yyyy-mm`.
    package func prune(before day: String, on connection: isolated PostgresConnection) async throws -> [String] {
        try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            let rows = try await connection.query(
                Query(
                    "audit-months",
                    """
                    SELECT month::text AS month FROM (
                        SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
                        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'adminexport.audit_event'::regclass AND c.relname ~ '^audit_event_[0-9]{4}_[0-9]{2}$'
                        UNION SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM adminexport.audit_event_default
                    ) AS months
                    WHERE month + interval '1 month' <= least($1::date, (now() AT TIME ZONE 'UTC')::date) ORDER BY month
                    """, [.text(day)]))
            var months: [String] = []
            for row in rows {
                let first: String = try row.decode("month")
                let month = String(first.prefix(7))
                // The name is made of digits that the database gave.
                try await connection.script(
                    "drop-month",
                    "DROP TABLE IF EXISTS adminexport.audit_event_\(month.replacing("-", with: "_"))")
                try await connection.query(
                    Query(
                        "audit-delete",
                        """
                        DELETE FROM adminexport.audit_event_default
                        WHERE at >= $1::timestamp AT TIME ZONE 'UTC'
                            AND at < ($1::timestamp + interval '1 month') AT TIME ZONE 'UTC'
                        """, [.text(first)]))
                months.append(month)
            }
            return months
        }
    }
}
