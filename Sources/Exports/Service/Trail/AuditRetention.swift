private import Evidence
private import Foundation
package import Postgres

/// Removes old months of the audit trail, as its owner. The service itself can only add events.
package struct AuditRetention: Sendable {
    /// Creates the command. It has no state: callers pass the connection.
    package init() {}

    /// The end of the last month that ``prune(before:on:removed:)`` would remove, `yyyy-mm-dd`; nil if it would remove none.
    package func end(before day: String, on connection: isolated PostgresConnection) async throws -> String? {
        guard let last = try await Self.months(before: day, on: connection).last else { return nil }
        let rows = try await connection.query(
            Query("audit-end", "SELECT ($1::date + interval '1 month')::date::text AS day", [.text(last)]))
        return try rows.first?.decode("day")
    }

    /// Whether workers sign checkpoints of the trail.
    package func hasCheckpoints(on connection: isolated PostgresConnection) async throws -> Bool {
        try await lastCheckpoint(on: connection) != nil
    }

    /// Asks the workers to sign that the events before a day are removed. A worker signs within some 40 seconds.
    package func request(before day: String, on connection: isolated PostgresConnection) async throws {
        _ = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            try await connection.query(
                Query(
                    "audit-request",
                    """
                    INSERT INTO adminexport.audit_prune (before) VALUES ($1::date)
                    ON CONFLICT (before) DO UPDATE SET requested_at = clock_timestamp(), login = session_user
                    """, [.text(day)]))
        }
    }

    /// Takes a request back that no worker has signed.
    package func withdraw(before day: String, on connection: isolated PostgresConnection) async throws {
        _ = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            try await connection.query(
                Query("audit-withdraw", "DELETE FROM adminexport.audit_prune WHERE before = $1::date", [.text(day)]))
        }
    }

    /// Whether a worker has signed that the events before a day are removed, in a checkpoint that follows those of all these events.
    package func isSigned(before day: String, on connection: isolated PostgresConnection) async throws -> Bool {
        guard let last = try await lastCheckpoint(on: connection) else { return false }
        return last.prunedBefore ?? "" >= day && last.before >= day
    }

    private func lastCheckpoint(on connection: isolated PostgresConnection) async throws -> CheckpointPredicate? {
        let rows = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            try await connection.query(
                Query(
                    "last-checkpoint",
                    "SELECT envelope FROM adminexport.audit_checkpoint ORDER BY number DESC LIMIT 1"))
        }
        guard let json: String = try rows.first?.decode("envelope") else { return nil }
        do {
            return try Checkpoint(json: Data(json.utf8)).unverified()
        } catch {
            throw PostgresError(
                .unexpectedResult,
                "the newest checkpoint of the audit trail was changed: \(error); run adminexport audit --verify")
        }
    }

    /// Removes the months that ended before a day, and writes an event that says so.
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
        let months = try await Self.months(before: day, on: connection)
        if let end = try await end(before: day, on: connection) {
            _ = try await connection.withTransaction(role: DatabaseRole.owner) { connection in
                try await connection.query(
                    Query(
                        "audit-pruned",
                        """
                        INSERT INTO adminexport.audit_event (event, reason, details)
                        VALUES ('pruned', $1, jsonb_build_object('login', session_user))
                        """, [.text(end)]))
            }
        }
        for first in months {
            try await Self.remove(first, on: connection)
            removed(String(first.prefix(7)))
        }
    }

    /// The first days of the months that ended before a day, `yyyy-mm-dd`, in their order.
    private static func months(before day: String, on connection: isolated PostgresConnection) async throws -> [String] {
        try await connection.withTransaction(role: DatabaseRole.owner) { connection in
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
                    """, [.text(day)])
            ).map { try $0.decode("month") }
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
