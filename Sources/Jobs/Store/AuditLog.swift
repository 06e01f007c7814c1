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
        let rows = try await connection.query(
            Query(
                "audit-list",
                """
                SELECT id, at, event, job::text AS job, tenant_slug, actor_email, peer_uid, peer_gid, peer_pid, reason,
                    details::text AS details
                FROM adminexport.audit_event
                WHERE ($1::text[] IS NULL OR tenant_slug = ANY ($1)) AND ($2::text IS NULL OR actor_email = $2)
                    AND ($3::uuid IS NULL OR job = $3) AND ($4::text[] IS NULL OR event = ANY ($4))
                    AND at >= '1970-01-01 00:00+00'::timestamptz + coalesce($5::bigint, 0) * interval '1 microsecond'
                    AND ($6::bigint IS NULL OR at < '1970-01-01 00:00+00'::timestamptz + $6 * interval '1 microsecond')
                    AND ($7::bigint IS NULL
                         OR (at, id) < ('1970-01-01 00:00+00'::timestamptz + $7 * interval '1 microsecond', $8::bigint))
                ORDER BY at DESC, id DESC LIMIT $9::int
                """,
                [
                    filter.tenants.map { .texts($0) } ?? .null, .text(filter.actorEmail), .text(filter.job?.description),
                    filter.events.map { .texts($0.map(\.rawValue)) } ?? .null, .text(filter.from.map(String.init)),
                    .text(filter.before.map(String.init)), .text(cursor.map { "\($0.at)" }),
                    .text(cursor.map { "\($0.id)" }), .integer(limit),
                ]))
        return try rows.map { try Entry($0) }
    }
}
