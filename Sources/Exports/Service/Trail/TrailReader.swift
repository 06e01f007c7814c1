internal import Evidence
private import Foundation
internal import Postgres

/// Reads the events of the audit trail and its checkpoints, to make checkpoints and to verify them.
package enum TrailReader {
    /// Events in one statement.
    private static let pageSize = 5_000

    /// The events of a period.
    package struct Part: Sendable {
        /// The number of events.
        package let events: Int
        /// Their SHA-256, as in ``TrailDigest``, in hexadecimal.
        package let sha256: String
        /// The end of what was read, exclusive, in microseconds since 1970. It is earlier than requested if the period has more events than the
        /// limit.
        package let before: Int
    }

    /// Reads the events of a period, in the order of the index `audit_event_at`.
    ///
    /// - Parameters:
    ///   - from: inclusive, in microseconds since 1970; nil for the beginning.
    ///   - before: exclusive, in the same unit.
    ///   - maxEvents: where the part ends. It is longer if more events have the time of the last one.
    ///   - page: runs a statement.
    static func read(
        from: Int?, before: Int, maxEvents: Int, page: (Query) async throws -> [Row]
    ) async throws -> Part {
        var digest = TrailDigest()
        var last: (at: Int, id: Int)?
        var end = before
        reading: while true {
            let rows = try await page(query(from: from, before: before, after: last))
            for row in rows {
                let at = Int(try row.decode("at", as: Timestamp.self).microseconds)
                if let last, digest.events >= maxEvents, at > last.at {
                    end = at
                    break reading
                }
                last = (at, try row.decode("id"))
                digest.add(try fields(row, at: at))
            }
            if rows.count < pageSize { break }
        }
        return Part(events: digest.events, sha256: digest.sha256, before: end)
    }

    private static let columns = [
        "event", "job", "tenant_key", "tenant_slug", "actor_key", "actor_email", "peer_uid", "peer_gid", "peer_pid",
        "reason",
        "details",
    ]

    /// All columns of an event, in a fixed order.
    private static func fields(_ row: Row, at: Int) throws -> [String?] {
        let id: Int = try row.decode("id")
        return try ["\(id)", "\(at)"] + columns.map { try row.decodeIfPresent($0, as: String.self) }
    }

    static func query(from: Int?, before: Int, after last: (at: Int, id: Int)?) -> Query {
        var parameters = Parameters()
        func moment(_ microseconds: Int) -> String {
            "('1970-01-01 00:00+00'::timestamptz + \(parameters.add(.integer(microseconds)))::bigint * interval '1 microsecond')"
        }
        var conditions = ["at < \(moment(before))"]
        if let last {
            let at = moment(last.at)
            // The first condition is for partition pruning.
            conditions.append("at >= \(at) AND (at, id) > (\(at), \(parameters.add(.integer(last.id)))::bigint)")
        } else if let from {
            conditions.append("at >= \(moment(from))")
        }
        return Query(
            "trail-page",
            """
            SELECT id, at, \(columns.map { "\($0)::text AS \($0)" }.joined(separator: ", "))
            FROM adminexport.audit_event WHERE \(conditions.joined(separator: " AND ")) ORDER BY at, id LIMIT \(pageSize)
            """, parameters.values)
    }

    /// The time of the first event, in microseconds since 1970; nil if there is none. Reads the beginning of `audit_event_at`.
    static func first(on connection: isolated PostgresConnection) async throws -> Int? {
        let rows = try await connection.query(
            Query("trail-begin", "SELECT at FROM adminexport.audit_event ORDER BY at, id LIMIT 1"))
        return try rows.first.map { Int(try $0.decode("at", as: Timestamp.self).microseconds) }
    }

    /// Lists checkpoints in the order of their numbers, from the primary key.
    ///
    /// - Parameter number: that of the last one before the page; 0 for the first page.
    static func checkpoints(
        after number: Int, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> [(number: Int, envelope: String)] {
        try await connection.query(
            Query(
                "checkpoints",
                "SELECT number, envelope FROM adminexport.audit_checkpoint WHERE number > $1::bigint ORDER BY number LIMIT $2::int",
                [.integer(number), .integer(limit)])
        ).map { (try $0.decode("number"), try $0.decode("envelope")) }
    }
}
