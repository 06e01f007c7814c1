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
        /// The end of what was read, exclusive, in microseconds since 1970; nil for the end of the trail. It is earlier than requested if the
        /// period has more events than the limit.
        package let before: Int?
    }

    /// Somebody has replaced the table of the trail, for example by a view.
    package struct Replaced: Error, Sendable {}

    /// Reads the events of a period, in the order of their times and of all their columns.
    ///
    /// - Parameters:
    ///   - from: inclusive, in microseconds since 1970; nil for the beginning.
    ///   - before: exclusive, in the same unit; nil for the end.
    ///   - maxEvents: where the part ends. It is longer if more events have the time of the last one.
    ///   - page: runs a statement.
    /// - Throws: ``Replaced``; what `page` throws.
    static func read(
        from: Int?, before: Int?, maxEvents: Int, page: (Query) async throws -> [Row]
    ) async throws -> Part {
        guard try await page(isTable).first?.decode("is_table") == true else { throw Replaced() }
        var digest = TrailDigest()
        var last: (at: Int, count: Int)?
        var end = before
        reading: while true {
            let rows = try await page(query(from: from, before: before, after: last))
            for row in rows {
                let at = Int(clamping: try row.decode("at", as: Timestamp.self).microseconds)
                if let last, digest.events >= maxEvents, at > last.at {
                    end = at
                    break reading
                }
                last = (at, last?.at == at ? (last?.count ?? 0) + 1 : 1)
                digest.add(try fields(row, at: at))
            }
            if rows.count < pageSize { break }
        }
        return Part(events: digest.events, sha256: digest.sha256, before: end)
    }

    /// Whether the trail is a partitioned table of plain tables, which no rule and no policy changes.
    private static let isTable = Query(
        "trail-is-table",
        """
        SELECT count(*) > 1 AND bool_and(c.relkind = CASE WHEN c.oid = t.oid THEN 'p' ELSE 'r' END AND NOT c.relhasrules
            AND NOT c.relrowsecurity) AS is_table
        FROM (SELECT to_regclass('adminexport.audit_event')::oid AS oid) AS t
        JOIN pg_class c ON c.oid = t.oid OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = t.oid)
        """)

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

    /// Reads the index `audit_event_at`. Neither times nor ids need be unique: rows that somebody has added by hand can repeat both. So a page
    /// begins with the time of the last event and skips as many as were read at this time.
    ///
    /// - Parameter last: the time of the last event, and how many were read at this time.
    private static func query(from: Int?, before: Int?, after last: (at: Int, count: Int)?) -> Query {
        var parameters = Parameters()
        func moment(_ microseconds: Int) -> String {
            "('1970-01-01 00:00+00'::timestamptz + \(parameters.add(.integer(microseconds)))::bigint * interval '1 microsecond')"
        }
        var conditions = before.map { ["at < \(moment($0))"] } ?? []
        if let start = last?.at ?? from { conditions.append("at >= \(moment(start))") }
        let skipped = last.map { " OFFSET \(parameters.add(.integer($0.count)))::bigint" } ?? ""
        let texts = columns.map { "\($0)::text COLLATE \"C\"" }.joined(separator: ", ")
        return Query(
            "trail-page",
            """
            SELECT id, at, \(columns.map { "\($0)::text AS \($0)" }.joined(separator: ", "))
            FROM adminexport.audit_event \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
            ORDER BY at, id, \(texts) LIMIT \(pageSize)\(skipped)
            """, parameters.values)
    }

    /// The time of the first event from a time on, in microseconds since 1970; nil if there is none. Reads an entry of `audit_event_at`.
    ///
    /// - Parameter from: inclusive; nil for the beginning.
    static func first(from: Int?, on connection: isolated PostgresConnection) async throws -> Int? {
        var parameters = Parameters()
        let condition = from.map {
            "WHERE at >= '1970-01-01 00:00+00'::timestamptz + \(parameters.add(.integer($0)))::bigint * interval '1 microsecond'"
        }
        let rows = try await connection.query(
            Query(
                "trail-begin", "SELECT at FROM adminexport.audit_event \(condition ?? "") ORDER BY at, id LIMIT 1",
                parameters.values))
        return try rows.first.map { Int(clamping: try $0.decode("at", as: Timestamp.self).microseconds) }
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
