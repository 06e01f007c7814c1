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
        package let peer: CallingProcess?
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
                CallingProcess(uid: uid, gid: try row.decode("peer_gid"), pid: try row.decode("peer_pid"))
            }
        }
    }

    /// What is wanted; nil for everything.
    package struct Filter: Sendable {
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

    /// Newest first. Uses the index `audit_event_at`, `audit_event_of_tenant` for tenants, or `audit_event_of_job` for one job.
    ///
    /// - Parameter owner: whose events; those that no tenant's key stands in are only among everybody's.
    package func list(
        _ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int,
        on connection: isolated PostgresConnection
    ) async throws -> [Entry] {
        try await connection.query(Self.listQuery(owner, filter, after: cursor, limit: limit)).map { try Entry($0) }
    }

    static func listQuery(_ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int) -> Query {
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
        var tenants: String?
        switch owner {
        case .anyone(nil): break
        case .anyone(let keys?):
            tenants = bind(.texts(keys))
            conditions.append("tenant_key = mine.key")
        case .labelled(let slug): conditions.append("tenant_slug = \(bind(.text(slug)))")
        case .actor(let tenant, let actor):
            conditions.append("tenant_key = \(bind(.text(tenant))) AND actor_key = \(bind(.text(actor)))")
        }
        if let email = filter.actorEmail { conditions.append("actor_email = \(bind(.text(email)))") }
        if let job = filter.job { conditions.append("job = \(bind(.text(job.description)))::uuid") }
        if let events = filter.events {
            conditions.append("event = ANY (\(bind(.texts(events.map(\.rawValue))))::text[])")
        }
        if let from = filter.from { conditions.append("at >= \(moment(from))") }
        if let before = filter.before { conditions.append("at < \(moment(before))") }
        if let cursor { conditions.append("(at, id) < (\(moment(cursor.at)), \(bind(.integer(cursor.id)))::bigint)") }
        let page = """
            SELECT id, at, event, job::text AS job, tenant_slug, actor_email, peer_uid, peer_gid, peer_pid, reason,
                details::text AS details
            FROM adminexport.audit_event \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
            ORDER BY at DESC, id DESC LIMIT $1::int
            """
        // Of several tenants a page of each, so that each is read from the end of the index.
        let sql =
            tenants.map {
                """
                SELECT event.* FROM (SELECT DISTINCT unnest(\($0)::text[])) AS mine (key) CROSS JOIN LATERAL (\(page)) AS event
                ORDER BY at DESC, id DESC LIMIT $1::int
                """
            } ?? page
        return Query("audit-list", sql, values)
    }
}
