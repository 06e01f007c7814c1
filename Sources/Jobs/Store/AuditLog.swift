package import Postgres

/// Reads the audit trail, for operators.
package struct AuditLog: Sendable {
    package init() {}

    package struct Entry: Sendable {
        package let id: Int
        package let at: Timestamp
        package let event: String
        package let job: String?
        package let tenantSlug: String?
        package let actorEmail: String?
        package let peer: Peer?
        package let reason: String?
        /// A JSON object.
        package let details: String

        init(_ row: Row) throws {
            id = try row.decode("id")
            at = try row.decode("at")
            event = try row.decode("event")
            job = try row.decodeIfPresent("job")
            tenantSlug = try row.decodeIfPresent("tenant_slug")
            actorEmail = try row.decodeIfPresent("actor_email")
            reason = try row.decodeIfPresent("reason")
            details = try row.decode("details")
            peer = try row.decodeIfPresent("peer_uid", as: Int.self).map { uid in
                Peer(uid: uid, gid: try row.decode("peer_gid"), pid: try row.decode("peer_pid"))
            }
        }
    }

    /// What is wanted; nil for everything.
    package struct Filter: Sendable {
        /// Slugs; events that have no tenant are left out then.
        package var tenants: [String]?
        package var actorEmail: String?
        package var job: JobID?
        package var events: [Audit.Event]?
        /// From this moment on, in microseconds since 1970.
        package var from: Int?
        /// Before this moment, in microseconds since 1970.
        package var before: Int?

        package init() {}
    }

    /// Where a page ends: the next one has what is older.
    package struct Cursor: Sendable, Hashable {
        /// Microseconds since 1970.
        package let at: Int
        package let id: Int

        package init(at: Int, id: Int) {
            self.at = at
            self.id = id
        }
    }

    /// Newest first. Uses the index `audit_event_at`, or `audit_event_of_job` for one job.
    package func list(
        _ filter: Filter, after cursor: Cursor?, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> [Entry] {
        var values: [Query.Parameter] = [.integer(limit)]
        var conditions: [String] = []
        func bind(_ value: Query.Parameter) -> String {
            values.append(value)
            return "$\(values.count)"
        }
        func moment(_ microseconds: Int) -> String {
            "('1970-01-01 00:00+00'::timestamptz + \(bind(.integer(microseconds)))::bigint * interval '1 microsecond')"
        }
        // Only those that are set: one plan serves for all values of a parameter, and what may be null is no use to an index.
        if let tenants = filter.tenants { conditions.append("tenant_slug = ANY (\(bind(.texts(tenants)))::text[])") }
        if let email = filter.actorEmail { conditions.append("actor_email = \(bind(.text(email)))") }
        if let job = filter.job { conditions.append("job = \(bind(.text(job.description)))::uuid") }
        if let events = filter.events {
            conditions.append("event = ANY (\(bind(.texts(events.map(\.rawValue))))::text[])")
        }
        if let from = filter.from { conditions.append("at >= \(moment(from))") }
        if let before = filter.before { conditions.append("at < \(moment(before))") }
        if let cursor { conditions.append("(at, id) < (\(moment(cursor.at)), \(bind(.integer(cursor.id)))::bigint)") }
        let rows = try await connection.query(
            Query(
                "audit-list",
                """
                SELECT id, at, event, job::text AS job, tenant_slug, actor_email, peer_uid, peer_gid, peer_pid, reason,
                    details::text AS details
                FROM adminexport.audit_event \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
                ORDER BY at DESC, id DESC LIMIT $1::int
                """, values))
        return try rows.map { try Entry($0) }
    }
}
