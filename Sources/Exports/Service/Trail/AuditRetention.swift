package import Postgres

/// Removes old months of the audit trail, as its owner. The service itself can only add events.
package struct AuditRetention: Sendable {
    /// Creates the command. It has no state: callers pass the connection.
    package init() {}

    /// Removes the months that ended before a day.
    ///
    /// A month is a partition, which is dropped. If the partition of a month was not created in time, the events of that month
    /// are in the default partition, and are deleted there.
    ///
    /// - Parameters:
    ///   - day: `yyyy-mm-dd`, in UTC.
    ///   - removed: called with each month, as `yyyy-mm`, after it was removed.
    /// - Throws: ``PostgresError`` with ``SQLState/lockNotAvailable`` if a session is reading the trail.
    package func prune(
        before day: String, on connection: isolated PostgresConnection, removed: @Sendable (String) -> Void
    ) async throws {
        let rows = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            try await connection.query(
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
        }
        for row in rows {
            let first: String = try row.decode("month")
            try await Self.remove(first, on: connection)
            removed(String(first.prefix(7)))
        }
    }

    /// Removes each month in a transaction of its own. It waits for the lock for a short time only: while it waits, no event
    /// can be added.
    private static func remove(_ first: String, on connection: isolated PostgresConnection) async throws {
        _ = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            // The deletion takes long, so it runs before the lock. No events are added to a past month.
            try await connection.query(
                Query(
                    "audit-delete",
                    """
                    DELETE FROM adminexport.audit_event_default
                    WHERE at >= $1::timestamp AT TIME ZONE 'UTC'
                        AND at < ($1::timestamp + interval '1 month') AT TIME ZONE 'UTC'
                    """, [.text(first)]))
        }
        try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            // The name has only digits that the database returned.
            let name = "adminexport.audit_event_\(first.prefix(7).replacing("-", with: "_"))"
            try await connection.script(
                "drop-month",
                "SET LOCAL lock_timeout = 2000; LOCK TABLE ONLY adminexport.audit_event; DROP TABLE IF EXISTS \(name)")
        }
    }
}
