private import Foundation
package import Postgres

/// The process at the other end of the socket, as the audit trail records it. The kernel gave its credentials.
package struct CallingProcess: Sendable, Hashable {
    package let uid: Int
    package let gid: Int
    package let pid: Int

    package init(uid: Int, gid: Int, pid: Int) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }
}

/// The audit trail: who requested what, and the result. Rows are only ever added.
package enum Audit {
    package enum Event: String, Sendable, CaseIterable {
        case requested, denied, started, finished, downloaded, undelivered, cancelled, failed, expired, deleted, held
        case paused, resumed, drained
    }

    /// An event to be written.
    package struct Entry: Sendable, Equatable {
        package var event: Event
        package var job: JobID?
        /// The tenant that the event is about. If it is nil and there is a job, the database takes the job's.
        package var tenantKey: String?
        /// The tenant's slug, for people.
        package var tenant: String?
        package var actorKey: String?
        package var actorEmail: String?
        package var peer: CallingProcess?
        package var reason: String?
        /// A JSON object. Its members depend on the event.
        package var details: String

        package init(
            event: Event, job: JobID? = nil, tenantKey: String? = nil, tenant: String? = nil, actorKey: String? = nil,
            actorEmail: String? = nil, peer: CallingProcess?, reason: String? = nil, details: String = "{}"
        ) {
            self.event = event
            self.job = job
            self.tenantKey = tenantKey
            self.tenant = tenant
            self.actorKey = actorKey
            self.actorEmail = actorEmail
            self.peer = peer
            self.reason = reason
            self.details = details
        }

        init(_ event: Event, of job: JobRecord, peer: CallingProcess, reason: String? = nil) {
            self.init(
                event: event, job: job.id, tenantKey: job.tenantKey, tenant: job.tenantSlug, actorKey: job.actorKey,
                actorEmail: job.actorEmail, peer: peer, reason: reason)
        }

        /// By the names of the columns.
        fileprivate var columns: [String: String?] {
            [
                "event": event.rawValue, "job": job?.description, "tenant_key": tenantKey, "tenant_slug": tenant,
                "actor_key": actorKey, "actor_email": actorEmail, "peer_uid": peer.map { "\($0.uid)" },
                "peer_gid": peer.map { "\($0.gid)" }, "peer_pid": peer.map { "\($0.pid)" }, "reason": reason,
                "details": details,
            ]
        }
    }

    /// Adds events in the given order, in one statement, within the current transaction.
    package static func record(_ entries: [Entry], on connection: isolated PostgresConnection) async throws {
        let json = String(decoding: try JSONEncoder().encode(entries.map(\.columns)), as: UTF8.self)
        let source = """
            SELECT event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason,
                details::jsonb AS details
            FROM jsonb_to_recordset($1::jsonb) AS r (event text, job uuid, tenant_key text, tenant_slug text,
                actor_key text, actor_email text, peer_uid bigint, peer_gid bigint, peer_pid bigint, reason text, details text)
            """
        try await connection.query(Query("audit", insertion(from: source), [.text(json)]))
    }

    /// An INSERT of one event for each job in a common table expression, for the statement that changes the jobs.
    ///
    /// All arguments are SQL of this program over the columns of the jobs.
    ///
    /// - Parameters:
    ///   - event: null for none.
    ///   - peer: user, group and process of the caller.
    static func insertion(
        of event: String, jobs: StaticString, peer: (uid: String, gid: String, pid: String)? = nil,
        reason: StaticString = "NULL", details: String
    ) -> String {
        insertion(
            from: """
                SELECT \(event) AS event, id AS job, tenant_key, tenant_slug, actor_key, actor_email,
                    \(peer?.uid ?? "NULL")::bigint AS peer_uid, \(peer?.gid ?? "NULL")::bigint AS peer_gid,
                    \(peer?.pid ?? "NULL")::bigint AS peer_pid, \(reason)::text AS reason, \(details) AS details
                FROM \(jobs)
                """)
    }

    /// The details of an event of an attempt, over the columns of the job.
    static let attemptDetails = "jsonb_build_object('epoch', epoch, 'attempt', attempt)"

    private static func insertion(from source: String) -> String {
        let columns =
            "event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason, details"
        return """
            INSERT INTO adminexport.audit_event (\(columns))
            SELECT \(columns) FROM (\(source)) e WHERE event IS NOT NULL
            """
    }
}

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

    /// The conditions of a list. A member that is nil sets none.
    package struct Filter: Sendable {
        package var actorEmail: String?
        package var job: JobID?
        package var events: [Audit.Event]?
        /// Inclusive, in microseconds since 1970.
        package var from: Int?
        /// Exclusive, in microseconds since 1970.
        package var before: Int?

        package init() {}
    }

    /// The last event of a page. The next page has older ones.
    package struct Cursor: Sendable, Hashable {
        /// Microseconds since 1970.
        package let at: Int
        package let id: Int

        package init(at: Int, id: Int) {
            self.at = at
            self.id = id
        }
    }

    /// Lists events, the newest first. Uses the index `audit_event_at`, `audit_event_of_tenant` for tenants, or `audit_event_of_job` for
    /// one job.
    ///
    /// - Parameter owner: whose events. Events without a tenant's key are only in the list of all tenants.
    package func list(
        _ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int,
        on connection: isolated PostgresConnection
    ) async throws -> [Entry] {
        try await connection.query(Self.listQuery(owner, filter, after: cursor, limit: limit)).map { try Entry($0) }
    }

    static func listQuery(_ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int) -> Query {
        var parameters = Parameters([.integer(limit)])
        var conditions: [String] = []
        func moment(_ microseconds: Int) -> String {
            "('1970-01-01 00:00+00'::timestamptz + \(parameters.add(.integer(microseconds)))::bigint * interval '1 microsecond')"
        }
        // Only conditions that are set: then one plan serves all values, and the planner can use an index.
        var tenants: String?
        switch owner {
        case .anyone(nil): break
        case .anyone(let keys?):
            tenants = parameters.add(.texts(keys))
            conditions.append("tenant_key = mine.key")
        case .labelled(let slug): conditions.append("tenant_slug = \(parameters.add(.text(slug)))")
        case .actor(let tenant, let actor):
            conditions.append(
                "tenant_key = \(parameters.add(.text(tenant))) AND actor_key = \(parameters.add(.text(actor)))")
        }
        if let email = filter.actorEmail { conditions.append("actor_email = \(parameters.add(.text(email)))") }
        if let job = filter.job { conditions.append("job = \(parameters.add(.text(job.description)))::uuid") }
        if let events = filter.events {
            conditions.append("event = ANY (\(parameters.add(.texts(events.map(\.rawValue))))::text[])")
        }
        if let from = filter.from { conditions.append("at >= \(moment(from))") }
        if let before = filter.before { conditions.append("at < \(moment(before))") }
        if let cursor {
            conditions.append("(at, id) < (\(moment(cursor.at)), \(parameters.add(.integer(cursor.id)))::bigint)")
        }
        let page = """
            SELECT id, at, event, job::text AS job, tenant_slug, actor_email, peer_uid, peer_gid, peer_pid, reason,
                details::text AS details
            FROM adminexport.audit_event \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
            ORDER BY at DESC, id DESC LIMIT $1::int
            """
        // For several tenants: a page of each, so that PostgreSQL reads each one from the end of its index.
        let sql =
            tenants.map {
                """
                SELECT event.* FROM (SELECT DISTINCT unnest(\($0)::text[])) AS mine (key) CROSS JOIN LATERAL (\(page)) AS event
                ORDER BY at DESC, id DESC LIMIT $1::int
                """
            } ?? page
        return Query("audit-list", sql, parameters.values)
    }
}
