private import Foundation
package import Postgres

/// The process at the other end of the socket, as the audit trail records it. Its credentials come from the kernel
/// (SO_PEERCRED, unix(7)).
package struct CallingProcess: Sendable, Hashable {
    /// The user ID when the process connected.
    package let uid: Int
    /// The group ID when the process connected.
    package let gid: Int
    /// The process ID; the kernel can give it to another process later.
    package let pid: Int

    /// A process with these credentials.
    package init(uid: Int, gid: Int, pid: Int) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }
}

/// The audit trail: who requested what, and the result. The service only ever adds rows.
package enum Audit {
    /// The kinds of events. The raw values are the words in the table and on the wire.
    package enum Event: String, Sendable, CaseIterable {
        /// Events of a job, and `denied` for a request without one.
        case requested, denied, started, finished, downloaded, undelivered, cancelled, failed, expired, deleted, held
        /// Somebody fetched the receipt of a workbook.
        case receiptFetched = "receipt-fetched"
        /// Operators' commands for the queue (`paused`, `resumed`) and for one worker (`drained`).
        case paused, resumed, drained
        /// The owner removed old months of the trail.
        case pruned
    }

    /// An event to be written.
    package struct Entry: Sendable, Equatable {
        /// The kind of the event.
        package var event: Event
        /// The job that the event is about, if any.
        package var job: JobID?
        /// The tenant that the event is about. If it is nil and there is a job, the database takes the job's.
        package var tenantKey: String?
        /// The tenant's slug, for people.
        package var tenant: String?
        /// The actor's key in the directory, as text.
        package var actorKey: String?
        /// The actor's e-mail address, for people.
        package var actorEmail: String?
        /// The process that called; nil for events of workers and for denials of several users.
        package var peer: CallingProcess?
        /// A keyword: why a request was denied, a job failed or a delivery failed, or what a command did.
        package var reason: String?
        /// A JSON object. Its members depend on the event.
        package var details: String

        /// An event. Members that are left out are null in the table.
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

        /// The values by the names of their columns.
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

    /// An INSERT of the rows that the source gives, except those whose event is null.
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
    /// Creates a reader. It has no state: callers pass the connection.
    package init() {}

    /// A row of the audit trail.
    package struct Entry: Sendable {
        /// The number of the row.
        package let id: Int
        /// When the event was written, by the database's clock.
        package let at: Timestamp
        /// The kind of the event. A newer version may have written a kind that this one does not know, so it is a text.
        package let event: String
        /// The id of the job that the event is about.
        package let job: String?
        /// The tenant's slug when the event was written.
        package let tenantSlug: String?
        /// The actor's e-mail address when the event was written.
        package let actorEmail: String?
        /// The process that called; nil for events of workers and for denials of several users.
        package let peer: CallingProcess?
        /// A keyword: why a request was denied, a job failed or a delivery failed, or what a command did.
        package let reason: String?
        /// A JSON object whose members depend on the event.
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

    /// The conditions of a list. A member that is nil is no condition.
    package struct Filter: Sendable {
        /// The actor's e-mail address, exactly as the trail has it.
        package var actorEmail: String?
        /// The job that the events are about.
        package var job: JobID?
        /// The kinds of events.
        package var events: [Audit.Event]?
        /// The time of the first event, inclusive, in microseconds since 1970.
        package var from: Int?
        /// The time after the last event, exclusive, in microseconds since 1970.
        package var before: Int?

        /// A filter without conditions.
        package init() {}
    }

    /// The position of the last event of a page. The next page begins with the event before it in time.
    package struct Cursor: Sendable, Hashable {
        /// The time of the event, in microseconds since 1970.
        package let at: Int
        /// The number of the event's row, which orders events of the same microsecond.
        package let id: Int

        /// A position in the trail.
        package init(at: Int, id: Int) {
            self.at = at
            self.id = id
        }
    }

    /// Lists events, the newest first. Each combination of a tenant, a label, an actor or a job with kinds of events reads the end of an
    /// index: `audit_event_of_…`, or `audit_event_at` without any of them; see ``FirstKey``.
    ///
    /// - Parameter owner: whose events. Events without a tenant's key are only in the list of all tenants.
    package func list(
        _ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int,
        on connection: isolated PostgresConnection
    ) async throws -> [Entry] {
        guard filter.events?.isEmpty != true else { return [] }
        return try await connection.query(Self.listQuery(owner, filter, after: cursor, limit: limit)).map { try Entry($0) }
    }

    /// - Parameter filter: its `events` must be nil or not empty.
    static func listQuery(_ owner: JobStore.Owner, _ filter: Filter, after cursor: Cursor?, limit: Int) -> Query {
        var parameters = Parameters([.integer(limit)])
        var conditions: [String] = []
        func moment(_ microseconds: Int) -> String {
            "('1970-01-01 00:00+00'::timestamptz + \(parameters.add(.integer(microseconds)))::bigint * interval '1 microsecond')"
        }
        // Only conditions that are set: then one plan serves all values, and the planner can use an index.
        var tenants: String?
        var keys: [ColumnValue] = []
        func add(_ column: String, _ value: String, _ type: String = "text") {
            keys.append(ColumnValue(column: column, value: "\(parameters.add(.text(value)))::\(type)"))
        }
        switch owner {
        case .anyone(nil): break
        case .anyone(let mine?) where filter.actorEmail != nil || filter.job != nil:
            // The index by actor or job is read once, not for each tenant.
            conditions.append("tenant_key = ANY (\(parameters.add(.texts(mine)))::text[])")
        case .anyone(let mine?):
            tenants = parameters.add(.texts(mine))
            keys.append(ColumnValue(column: "tenant_key", value: "mine.key"))
        case .labelled(let slug): add("tenant_slug", slug)
        case .actor(let tenant, let actor):
            conditions.append("actor_key = \(parameters.add(.text(actor)))")
            add("tenant_key", tenant)
        }
        if let email = filter.actorEmail { add("actor_email", email) }
        if let job = filter.job { add("job", job.description, "uuid") }
        // The last one has the fewest events.
        let key = keys.popLast()
        conditions += keys.map(\.condition)
        let from = filter.from.map(moment)
        // Of the two ends, only the earlier one: PostgreSQL would begin to read the index at either.
        let isCursorFirst = cursor.map { $0.at < filter.before ?? .max } ?? false
        let before = isCursorFirst ? nil : filter.before.map(moment)
        let last = (isCursorFirst ? cursor : nil).map {
            (at: moment($0.at), id: "\(parameters.add(.integer($0.id)))::bigint")
        }
        if let from { conditions.append("at >= \(from)") }
        if let before { conditions.append("at < \(before)") }
        // The first condition is for partition pruning.
        if let last { conditions.append("at <= \(last.at) AND (at, id) < (\(last.at), \(last.id))") }
        /// Keeps the kind in the order too, so that no index without it has that order.
        func range(_ event: ColumnValue) -> [String] {
            let (column, value) = (event.column, event.value)
            return [
                from.map { "(\(column), at) >= (\(value), \($0))" } ?? "\(column) >= \(value)",
                before.map { "(\(column), at) < (\(value), \($0))" } ?? "\(column) <= \(value)",
            ] + (last.map { ["(\(column), at, id) < (\(value), \($0.at), \($0.id))"] } ?? [])
        }
        let columns = """
            id, at, event, job::text AS job, tenant_slug, actor_email, peer_uid, peer_gid, peer_pid, reason, details::text AS details
            """
        /// - Parameter kind: nil for all.
        func page(_ columns: String, _ kind: String?) -> String {
            let event = kind.map { ColumnValue(column: "event", value: "'\($0)'") }
            let first = (key ?? event).map(FirstKey.init)
            var conditions = [first?.condition].compactMap { $0 } + conditions
            var order = [first?.order].compactMap { $0 }
            if let event, let key {
                // The indexes of labels, actors and jobs do not contain the kind, so it is only a filter.
                let isIndexed = key.column == "tenant_key"
                conditions += isIndexed ? range(event) : [event.condition]
                if isIndexed { order.append("\(event.column) DESC") }
            }
            return """
                SELECT \(columns) FROM adminexport.audit_event
                \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
                ORDER BY \((order + ["at DESC", "id DESC"]).joined(separator: ", ")) LIMIT $1::int
                """
        }
        // One SELECT for each kind: with one condition for several kinds, PostgreSQL would search the whole trail for a rare one. The
        // words come from an enumeration, so they can be literals.
        let kinds = filter.events.map { Set($0).map(\.rawValue).sorted() }
        let one =
            kinds.map { kinds in
                let parts = kinds.map { "(\(page("*", $0)))" }
                return
                    "SELECT \(columns) FROM (\(parts.joined(separator: " UNION ALL "))) e ORDER BY at DESC, id DESC LIMIT $1::int"
            } ?? page(columns, nil)
        // For several tenants: a page of each, so that PostgreSQL reads each one from the end of its index.
        let sql =
            tenants.map {
                """
                SELECT event.* FROM (SELECT DISTINCT unnest(\($0)::text[])) AS mine (key) CROSS JOIN LATERAL (\(one)) AS event
                ORDER BY at DESC, id DESC LIMIT $1::int
                """
            } ?? one
        return Query("audit-list", sql, parameters.values)
    }
}
