package import Postgres

/// The queue as callers see it. Every statement runs as `adminexport_api`, within a transaction of the caller's.
package struct JobStore: Sendable {
    package init() {}

    /// How long a start waits for its turn among those of its tenant.
    package static let startLockTimeout: Duration = .seconds(5)

    /// What a start does while another one of its tenant has the turn.
    package enum LockWait: Sendable {
        /// Ends with ``StartLockHeld``, so that it holds no connection meanwhile.
        case now
        /// Waits, in its transaction, at least for a millisecond.
        case within(Duration)
    }

    /// A job that is wanted.
    package struct Request: Sendable {
        package let tenantKey: String
        package let tenantSlug: String
        package let actorKey: String
        package let actorEmail: String
        /// JSON.
        package let options: String
        /// Key and SHA-256 of the parameters, in hexadecimal.
        package let idempotency: (key: String, hash: String)?

        package init(
            tenantKey: String, tenantSlug: String, actorKey: String, actorEmail: String, options: String,
            idempotency: (key: String, hash: String)?
        ) {
            self.tenantKey = tenantKey
            self.tenantSlug = tenantSlug
            self.actorKey = actorKey
            self.actorEmail = actorEmail
            self.options = options
            self.idempotency = idempotency
        }
    }

    /// What limits a start.
    package struct Limits: Sendable {
        /// Jobs of a tenant in the queue.
        package var queued: Int
        /// How long an idempotency key stands, from the start that brought it.
        package var keyLifetime: Duration

        package init(queued: Int, keyLifetime: Duration = .seconds(48 * 3_600)) {
            self.queued = queued
            self.keyLifetime = keyLifetime
        }
    }

    /// A job that was asked for.
    package struct Started: Sendable {
        package let job: JobRecord
        /// An earlier start with the same idempotency key has made it.
        package let isReplayed: Bool
    }

    /// Puts a job in the queue, with its audit event; or gives the job for which the idempotency key stands.
    ///
    /// A key stands for a job that waits, runs or has its workbook, see ``JobMachine/keepsKey``, and for a bounded time. Otherwise
    /// the earlier job gives the key up, in the same transaction in which the new one takes it.
    ///
    /// Starts of one tenant take turns by an advisory lock, so that the limit is exact and one key makes one job. No start
    /// locks the tenant's slot row, since a claim skips a slot row that is locked. A start that finds the queue full, or its
    /// key used, takes no lock at all.
    ///
    /// - Throws: ``QueueError/conflict``, ``QueueError/quotaExceeded(limit:retryAfter:)``, ``QueueError/busy``, ``StartLockHeld``,
    ///   ``PostgresError``.
    package func enqueue(
        _ request: Request, _ limits: Limits, peer: CallingProcess, turn: LockWait = .within(JobStore.startLockTimeout),
        on connection: isolated PostgresConnection
    ) async throws -> Started {
        let limit = limits.queued
        if let job = try await repeated(request, limits, on: connection) { return Started(job: job, isReplayed: true) }
        let hasRoom = try await takeTurn(turn, request.tenantKey, limit: limit, on: connection)
        // Twice: a start with the same key of a program that takes no turn may come between, and its job may be over by now.
        for _ in 0..<2 {
            if hasRoom {
                try await freeKey(of: request, limits, on: connection)
                if let row = try await insert(request, limit: limit, peer: peer, on: connection) {
                    return Started(job: try JobRecord(row), isReplayed: false)
                }
            }
            // There is no room, or somebody else with the same key was first.
            if let job = try await repeated(request, limits, on: connection) { return Started(job: job, isReplayed: true) }
            guard hasRoom else { break }
        }
        throw QueueError.quotaExceeded(limit: limit, retryAfter: try await usualRun(on: connection))
    }

    /// Waits until no other start of the tenant is between its look at the queue and its commit, if there is room in the queue.
    ///
    /// - Returns: whether there was room. If not, nothing is locked.
    private func takeTurn(
        _ turn: LockWait, _ tenant: String, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> Bool {
        let (timeout, waits) =
            switch turn {
            case .now: (Self.startLockTimeout, false)
            case .within(let timeout): (timeout, true)
            }
        // 0 would be no limit.
        let limitInMilliseconds = max(Int(timeout / .milliseconds(1)), 1)
        let rows: [Row]
        do {
            rows = try await connection.query(
                Query(
                    waits ? "take-turn" : "try-turn", Self.startLockSQL(waits: waits),
                    [.text(tenant), .integer(limit), .text("\(limitInMilliseconds)ms")]))
        } catch let error as PostgresError where error.sqlState == SQLState.lockNotAvailable {
            throw QueueError.busy
        }
        guard let row = rows.first, try row.decode("is_room") else { return false }
        guard try row.decode("has_turn") else { throw StartLockHeld(tenantKey: tenant) }
        if try !row.decode("has_slot") {
            // What is there already is not locked by this.
            try await connection.query(
                Query(
                    "make-slot", "INSERT INTO adminexport.tenant_slot (tenant_key) VALUES ($1) ON CONFLICT DO NOTHING",
                    [.text(tenant)]))
        }
        return true
    }

    /// The first of the two numbers of the advisory lock, which sets it apart from locks of others in the database; the second
    /// is a hash of the tenant's key. Two tenants with one hash take turns together.
    package static let startLockClass = 1_094_995_288

    /// Counts no more than the limit, by the index `job_queued`. CASE sees to the order: the wait has a bound before it begins.
    /// Who does not wait is refused the turn also while others wait for it, and so overtakes nobody.
    static func startLockSQL(waits: Bool) -> String {
        let key = "\(startLockClass), hashtext($1)"
        let turn = waits ? "pg_advisory_xact_lock(\(key)) IS NOT NULL" : "pg_try_advisory_xact_lock(\(key))"
        return """
            WITH room AS MATERIALIZED (
                SELECT count(*) < $2::bigint AS is_there FROM (
                    SELECT FROM adminexport.job WHERE tenant_key = $1 AND state = 'queued' LIMIT $2::bigint) queued
            )
            SELECT is_there AS is_room, EXISTS (SELECT FROM adminexport.tenant_slot WHERE tenant_key = $1) AS has_slot,
                CASE WHEN is_there THEN CASE WHEN set_config('lock_timeout', $3, true) IS NOT NULL THEN \(turn) END END AS has_turn
            FROM room
            """
    }

    /// - Returns: nil where the queue is full, or the key has a job.
    private func insert(
        _ request: Request, limit: Int, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> Row? {
        // A start of the version before this one holds the slot's row instead of the turn: between it and this one the unique
        // index decides.
        try await connection.query(
            Query(
                "enqueue",
                """
                WITH waiting AS (
                    SELECT count(*) AS count FROM (
                        SELECT FROM adminexport.job WHERE tenant_key = $2 AND state = 'queued' LIMIT $9::bigint) queued
                ), j AS (
                    INSERT INTO adminexport.job
                        (id, tenant_key, tenant_slug, actor_key, actor_email, options, idempotency_key, idempotency_hash)
                    SELECT $1::uuid, $2, $3, $4, $5, $6::jsonb, $7, decode($8, 'hex') FROM waiting WHERE count < $9::bigint
                    ON CONFLICT (tenant_key, actor_key, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
                    RETURNING *
                ), audited AS (
                    INSERT INTO adminexport.audit_event
                        (event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, details)
                    SELECT 'requested', id, tenant_key, tenant_slug, actor_key, actor_email, $10::bigint, $11::bigint, $12::bigint, $6::jsonb
                    FROM j
                )
                SELECT \(JobRecord.columns), \(QueueNotification.sql) FROM j LEFT JOIN adminexport.lease l ON l.job = j.id
                """,
                [
                    .text(JobID().description), .text(request.tenantKey), .text(request.tenantSlug), .text(request.actorKey),
                    .text(request.actorEmail), .text(request.options), .text(request.idempotency?.key),
                    .text(request.idempotency?.hash), .integer(limit), .integer(peer.uid), .integer(peer.gid),
                    .integer(peer.pid),
                ])
        ).first
    }

    /// How long a place in a full queue may take to become free: the median of the last runs, from 1 s to 60 s.
    private func usualRun(on connection: isolated PostgresConnection) async throws -> Duration {
        let rows = try await connection.query(Query("usual-run", Self.usualRunSQL))
        guard let median = try rows.first?.decodeIfPresent("median", as: Int.self) else { return .seconds(5) }
        return min(max(.milliseconds(median), .seconds(1)), .seconds(60))
    }

    /// Those that will expire last are those that have ended last. Reads twenty entries of the index `job_to_expire`, however
    /// long the history is.
    static let usualRunSQL = """
        SELECT (1000 * extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at)))::bigint
            AS median
        FROM (SELECT started_at, finished_at FROM adminexport.job WHERE state = 'succeeded' AND NOT hold
              ORDER BY expires_at DESC LIMIT 20) AS last
        """

    /// Whether the key of `adminexport.job j` stands; the parameter says how long. Held to ``JobMachine/keepsKey`` by a test.
    private static func keepsKey(_ parameter: Int) -> String {
        """
        j.created_at > clock_timestamp() - $\(parameter)::interval
            AND j.state IN ('queued', 'running', 'succeeded') AND NOT \(JobRecord.isOverdue)
        """
    }

    /// Takes the request's key from a job for which it does not stand any more.
    private func freeKey(
        of request: Request, _ limits: Limits, on connection: isolated PostgresConnection
    ) async throws {
        guard let key = request.idempotency?.key else { return }
        try await connection.query(
            Query(
                "free-key",
                """
                UPDATE adminexport.job j SET idempotency_key = NULL, idempotency_hash = NULL
                WHERE j.tenant_key = $1 AND j.actor_key = $2 AND j.idempotency_key = $3 AND NOT (\(Self.keepsKey(4)))
                """,
                [.text(request.tenantKey), .text(request.actorKey), .text(key), .interval(limits.keyLifetime)]))
    }

    /// The job for which the request's idempotency key stands.
    private func repeated(
        _ request: Request, _ limits: Limits, on connection: isolated PostgresConnection
    ) async throws -> JobRecord? {
        guard let idempotency = request.idempotency else { return nil }
        let rows = try await connection.query(
            Query(
                "find-repeated",
                """
                SELECT \(JobRecord.columns), encode(j.idempotency_hash, 'hex') AS hash FROM \(JobRecord.source)
                WHERE j.tenant_key = $1 AND j.actor_key = $2 AND j.idempotency_key = $3 AND \(Self.keepsKey(4))
                """,
                [
                    .text(request.tenantKey), .text(request.actorKey), .text(idempotency.key),
                    .interval(limits.keyLifetime),
                ]))
        guard let row = rows.first else { return nil }
        guard try row.decode("hash") == idempotency.hash else { throw QueueError.conflict }
        return try JobRecord(row)
    }

    /// Whose job it must be.
    package enum Owner: Sendable {
        case actor(tenantKey: String, actorKey: String)
        /// Whoever's, for operators: of the tenants with these keys; nil for all.
        case anyone(ofTenants: [String]?)
        /// Whoever's, for operators of all tenants: of jobs and events that show this slug. A label is for finding, not for deciding.
        case labelled(String)

        /// A condition on `adminexport.job j`, made of the program's own words, and the values of its parameters.
        ///
        /// One for each case, so that each has one good plan.
        func condition(from first: Int) -> (sql: String, values: [Query.Parameter]) {
            switch self {
            case .actor(let tenant, let actor):
                ("j.tenant_key = $\(first) AND j.actor_key = $\(first + 1)", [.text(tenant), .text(actor)])
            case .anyone(let keys?): ("j.tenant_key = ANY ($\(first)::text[])", [.texts(keys)])
            case .anyone(nil): ("true", [])
            case .labelled(let slug): ("j.tenant_slug = $\(first)", [.text(slug)])
            }
        }
    }

    /// - Throws: ``QueueError/notFound`` also for somebody else's job.
    package func get(
        _ id: JobID, owner: Owner, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        let owned = owner.condition(from: 2)
        let rows = try await connection.query(
            Query(
                "get", "SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE j.id = $1::uuid AND \(owned.sql)",
                [.text(id.description)] + owned.values))
        guard let row = rows.first else { throw QueueError.notFound }
        return try JobRecord(row)
    }

    /// Those of the jobs whose revision is past the known one. Uses the primary keys of jobs and leases.
    package func changed(
        since known: [JobID: Int], on connection: isolated PostgresConnection
    ) async throws -> [JobRecord] {
        let known = Array(known)
        let rows = try await connection.query(
            Query(
                "changed",
                """
                SELECT \(JobRecord.columns) FROM \(JobRecord.source)
                JOIN unnest($1::uuid[], $2::bigint[]) AS known (id, revision) ON known.id = j.id
                WHERE j.revision + coalesce(l.seq, 0) > known.revision
                """, [.texts(known.map(\.key.description)), .texts(known.map { "\($0.value)" })]))
        return try rows.map { try JobRecord($0) }
    }

    /// Newest first.
    ///
    /// - Parameter before: the id that the page before ended with.
    package func list(
        owner: Owner, states: [JobState], before: JobID?, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> [JobRecord] {
        try await connection.query(Self.listQuery(owner: owner, states: states, before: before, limit: limit))
            .map { try JobRecord($0) }
    }

    /// Uses the index on `(tenant_key, actor_key, id)` for an actor, that on `(tenant_key, id)` for tenants, and the primary key for
    /// all tenants and for a label.
    static func listQuery(owner: Owner, states: [JobState], before: JobID?, limit: Int) -> Query {
        var values: [Query.Parameter] = [.integer(limit)]
        var conditions: [String] = []
        if let before {
            values.append(.text(before.description))
            conditions.append("j.id < $2::uuid")
        }
        if !states.isEmpty {
            // The program's own words, so that the planner sees which of the partial indexes serves.
            let words = Set(states).map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
            switch (states.contains(.succeeded), states.contains(.expired)) {
            case (true, false): conditions.append("j.state IN (\(words)) AND NOT \(JobRecord.isOverdue)")
            case (false, true): conditions.append("(j.state IN (\(words)) OR \(JobRecord.isOverdue))")
            default: conditions.append("j.state IN (\(words))")
            }
        }
        if case .anyone(let keys?) = owner {
            values.append(.texts(keys))
            return Query("list-tenants", tenantsList(conditions, keys: values.count), values)
        }
        let owned = owner.condition(from: values.count + 1)
        let condition = ([owned.sql] + conditions).joined(separator: " AND ")
        return Query(
            "list",
            "SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE \(condition) ORDER BY j.id DESC LIMIT $1::int",
            values + owned.values)
    }

    /// The newest jobs of each tenant by the index on `(tenant_key, id)`, and the newest of those: one condition for all of them would
    /// be answered by reading all of their jobs.
    private static func tenantsList(_ conditions: [String], keys parameter: Int) -> String {
        let condition = (["j.tenant_key = mine.key"] + conditions).joined(separator: " AND ")
        return """
            SELECT \(JobRecord.columns)
            FROM (SELECT DISTINCT unnest($\(parameter)::text[])) AS mine (key) CROSS JOIN LATERAL (
                SELECT j.* FROM adminexport.job j WHERE \(condition) ORDER BY j.id DESC LIMIT $1::int) AS j
            LEFT JOIN adminexport.lease l ON l.job = j.id
            ORDER BY j.id DESC LIMIT $1::int
            """
    }

    /// Cancels a queued job at once and asks the worker of a running one; a finished job stays as it is.
    package func cancel(
        _ id: JobID, owner: Owner, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        let (job, changed) = try await lock(id, owner: owner, toApply: .cancelRequested, on: connection)
        guard let machine = changed else { return job }
        try await connection.query(
            machine.state == .cancelled
                ? Query(
                    "cancel-queued",
                    """
                    UPDATE adminexport.job SET state = 'cancelled', finished_at = clock_timestamp(),
                        cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()), revision = revision + 1
                    WHERE id = $1::uuid AND state = 'queued'
                    """, [.text(id.description)])
                : Query(
                    "cancel-running",
                    """
                    UPDATE adminexport.job SET cancel_requested_at = clock_timestamp(), revision = revision + 1
                    WHERE id = $1::uuid AND state = 'running' AND cancel_requested_at IS NULL
                    """, [.text(id.description)]))
        // Who wanted it is known here only; the worker writes another event when it has stopped.
        try await Audit.record(
            .cancelled, job: id, tenantKey: job.tenantKey, tenant: job.tenantSlug, actorKey: job.actorKey,
            actorEmail: job.actorEmail, peer: peer, reason: machine.state == .cancelled ? nil : "requested", on: connection)
        return try await get(id, owner: owner, on: connection)
    }

    /// Ends the life of a finished job's file. The row says so first; a worker removes the file after that.
    ///
    /// - Throws: ``QueueError/notReady(_:)`` while it is queued or runs, ``QueueError/held``.
    package func delete(
        _ id: JobID, owner: Owner, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        let (job, changed) = try await lock(id, owner: owner, toApply: .deleted, on: connection)
        guard job.state.isFinal else { throw QueueError.notReady(job.state) }
        guard job.state == .succeeded else { return job }
        guard changed != nil else { throw QueueError.held }
        try await connection.query(
            Query(
                "delete",
                """
                UPDATE adminexport.job SET state = 'expired', expires_at = clock_timestamp(), revision = revision + 1
                WHERE id = $1::uuid AND state = 'succeeded' AND NOT hold RETURNING \(QueueNotification.sql)
                """, [.text(id.description)]))
        try await Audit.record(
            .deleted, job: id, tenantKey: job.tenantKey, tenant: job.tenantSlug, actorKey: job.actorKey,
            actorEmail: job.actorEmail, peer: peer, on: connection)
        return try await get(id, owner: owner, on: connection)
    }

    /// Begins or ends a legal hold: while it lasts neither time nor deletion takes the file or the row away.
    ///
    /// - Throws: ``QueueError/notReady(_:)`` where the file has expired already.
    package func hold(
        _ id: JobID, _ isHeld: Bool, owner: Owner, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        let (job, changed) = try await lock(id, owner: owner, toApply: .held(isHeld), on: connection)
        guard job.isHeld != isHeld else { return job }
        guard changed != nil else { throw QueueError.notReady(job.state) }
        try await connection.query(
            Query(
                "hold", "UPDATE adminexport.job SET hold = $2::boolean, revision = revision + 1 WHERE id = $1::uuid",
                [.text(id.description), .bool(isHeld)]))
        try await Audit.record(
            .held, job: id, tenantKey: job.tenantKey, tenant: job.tenantSlug, actorKey: job.actorKey,
            actorEmail: job.actorEmail, peer: peer, reason: isHeld ? "on" : "off", on: connection)
        return try await get(id, owner: owner, on: connection)
    }

    /// Reads the job, and keeps its row from changing until the transaction ends if the event changes it.
    ///
    /// Looks first: a claim passes over a row that somebody holds, so that what is refused, or is somebody else's, must not
    /// hold it.
    ///
    /// - Returns: the job, and what the event makes of it; nil where the rules refuse it.
    private func lock(
        _ id: JobID, owner: Owner, toApply event: JobMachine.Event, on connection: isolated PostgresConnection
    ) async throws -> (job: JobRecord, changed: JobMachine?) {
        func apply(to job: JobRecord) -> JobMachine? {
            var machine = job.machine
            return machine.apply(event) ? machine : nil
        }
        let seen = try await get(id, owner: owner, on: connection)
        guard apply(to: seen) != nil else { return (seen, nil) }
        try await connection.query(
            Query("lock-job", "SELECT id FROM adminexport.job WHERE id = $1::uuid FOR UPDATE", [.text(id.description)]))
        let job = try await get(id, owner: owner, on: connection)
        return (job, apply(to: job))
    }
}

/// Another start of the tenant has the turn, and this one was not to wait for it.
package struct StartLockHeld: Error, Sendable {
    package let tenantKey: String
}
