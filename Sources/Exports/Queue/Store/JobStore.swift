private import Evidence
package import Postgres

/// The queue as callers see it. Every statement runs as `adminexport_api`, in a transaction of the caller.
package struct JobStore: Sendable {
    private let worker: WorkerID?

    /// Creates a store.
    ///
    /// - Parameter worker: the worker of this process, which learns of new jobs without the notification; nil if there is none.
    package init(worker: WorkerID? = nil) {
        self.worker = worker
    }

    /// How long a start waits for other starts of its tenant.
    package static let startLockTimeout: Duration = .seconds(5)

    /// What a start does while another start holds the tenant's lock.
    package enum LockWait: Sendable {
        /// Throws ``StartLockHeld``, so that it holds no connection while it waits.
        case now
        /// Waits in its transaction, at least for a millisecond.
        case within(Duration)
    }

    /// What an export is started with.
    package struct Request: Sendable {
        /// The tenant's key in the directory, as text.
        package let tenantKey: String
        /// The tenant's slug at the start; a label for people.
        package let tenantSlug: String
        /// The actor's key in the directory, as text.
        package let actorKey: String
        /// The actor's e-mail address at the start; a label for people.
        package let actorEmail: String
        /// The export's options as a JSON object.
        package let options: String
        /// The idempotency key, and the SHA-256 of the options in hexadecimal; nil without a key.
        package let idempotency: (key: String, hash: String)?

        /// A job for an actor.
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

    /// The limits of a start.
    package struct Limits: Sendable {
        /// Queued jobs of a tenant, at most.
        package var queued: Int
        /// How long an idempotency key is bound to its job, counted from the start of the job.
        package var keyLifetime: Duration

        /// A limit of queued jobs; keys last for two days unless another lifetime is given.
        package init(queued: Int, keyLifetime: Duration = .seconds(48 * 3_600)) {
            self.queued = queued
            self.keyLifetime = keyLifetime
        }
    }

    /// The result of a start.
    package struct Started: Sendable {
        /// The new job, or the one to which the idempotency key is bound.
        package let job: JobRecord
        /// Whether an earlier start with the same idempotency key made the job.
        package let isReplayed: Bool
    }

    /// Adds a job to the queue, with its audit event; or returns the job to which the idempotency key is bound.
    ///
    /// A key is bound to a job that is queued, runs or has a workbook (``JobState/keepsKey``), and for a limited time. After
    /// that the earlier job loses the key, in the transaction in which the new job gets it.
    ///
    /// Starts of one tenant run one after another, by an advisory lock, so the limit is exact and one key makes one job. A
    /// start's insertion locks the tenant's slot row only if the tenant is not ready, because a claim skips a locked slot row. A start
    /// takes no lock at all if the queue is full or its key is bound to a job.
    ///
    /// - Parameter claim: a claim to make after the insertion, if the worker has a free slot and ``PostgresConnection/canCommit(with:)``
    ///   permits it. If it gets the new job, the returned job is running. The transaction is then committed, so the body must run no other
    ///   statement.
    /// - Throws: `NothingInserted` if the claim was made but no job was inserted; ``QueueError/conflict``,
    ///   ``QueueError/quotaExceeded(limit:retryAfter:)``, ``QueueError/busy``, ``StartLockHeld``, ``PostgresError``.
    package func enqueue(
        _ request: Request, _ limits: Limits, peer: CallingProcess, wait: LockWait = .within(JobStore.startLockTimeout),
        claim: JoinedClaim? = nil, on connection: isolated PostgresConnection
    ) async throws -> Started {
        let limit = limits.queued
        if let job = try await replayed(request, limits, on: connection) { return Started(job: job, isReplayed: true) }
        let hasRoom = try await takeLock(wait, request.tenantKey, limit: limit, on: connection)
        // Twice: a program of the previous version does not take the lock. It may start a job with the same key in between, and
        // that job may be over by now.
        for _ in 0..<2 {
            if hasRoom {
                try await releaseKey(of: request, limits, on: connection)
                let inserted: JobRecord?
                do {
                    inserted = try await insert(
                        request, limit: limit, peer: peer, claim: claim, on: connection)
                } catch let error as PostgresError
                    where error.sqlState == SQLState.lockNotAvailable && error.query == "enqueue"
                {
                    // The trigger waits for the slot of a tenant that is not ready.
                    throw QueueError.busy
                }
                if let inserted { return Started(job: inserted, isReplayed: false) }
            }
            // The queue is full, or another start with the same key was first.
            if let job = try await replayed(request, limits, on: connection) { return Started(job: job, isReplayed: true) }
            guard hasRoom else { break }
        }
        throw QueueError.quotaExceeded(limit: limit, retryAfter: try await medianRun(on: connection))
    }

    /// Takes the tenant's lock until the end of the transaction, if the queue has room.
    ///
    /// - Returns: whether there was room. If not, nothing is locked.
    private func takeLock(
        _ wait: LockWait, _ tenant: String, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> Bool {
        let (timeout, waits) =
            switch wait {
            case .now: (Self.startLockTimeout, false)
            case .within(let timeout): (timeout, true)
            }
        // 0 would mean no limit.
        let limitInMilliseconds = max(Int(timeout / .milliseconds(1)), 1)
        let rows: [Row]
        do {
            rows = try await connection.query(
                Query(
                    waits ? "start-lock" : "try-start-lock", Self.startLockSQL(waits: waits),
                    [.text(tenant), .integer(limit), .text("\(limitInMilliseconds)ms")]))
        } catch let error as PostgresError where error.sqlState == SQLState.lockNotAvailable {
            throw QueueError.busy
        }
        guard let row = rows.first, try row.decode("has_room") else { return false }
        guard try row.decode("has_lock") else { throw StartLockHeld(tenantKey: tenant) }
        if try !row.decode("has_slot") {
            // Does not lock an existing row.
            try await connection.query(
                Query(
                    "make-slot", "INSERT INTO adminexport.tenant_slot (tenant_key) VALUES ($1) ON CONFLICT DO NOTHING",
                    [.text(tenant)]))
        }
        return true
    }

    /// The first of the two numbers of the advisory lock. It separates the lock from other locks in the database. The second
    /// number is a hash of the tenant's key; two tenants with the same hash share a lock.
    package static let startLockClass = 1_094_995_288

    /// Counts up to the limit by the index `job_waiting`. CASE fixes the order: the statement sets the timeout before it waits.
    /// A start that does not wait does not get the lock while others wait for it, so it overtakes none of them.
    static func startLockSQL(waits: Bool) -> String {
        let key = "\(startLockClass), hashtext($1)"
        let lock = waits ? "pg_advisory_xact_lock(\(key)) IS NOT NULL" : "pg_try_advisory_xact_lock(\(key))"
        return """
            WITH room AS MATERIALIZED (
                SELECT count(*) < $2::bigint AS has_room FROM (
                    SELECT FROM adminexport.job WHERE tenant_key = $1 AND state = 'queued' LIMIT $2::bigint) queued
            )
            SELECT has_room, EXISTS (SELECT FROM adminexport.tenant_slot WHERE tenant_key = $1) AS has_slot,
                CASE WHEN has_room THEN CASE WHEN set_config('lock_timeout', $3, true) IS NOT NULL THEN \(lock) END END AS has_lock
            FROM room
            """
    }

    /// Inserts the job and its audit event, and makes the claim if that is possible; see ``enqueue(_:_:peer:wait:claim:on:)``.
    ///
    /// - Returns: nil, if no claim was made, for a full queue or a key that is already bound to a job.
    /// - Throws: `NothingInserted` in the same cases if the claim was made.
    private func insert(
        _ request: Request, limit: Int, peer: CallingProcess, claim: JoinedClaim?, on connection: isolated PostgresConnection
    ) async throws -> JobRecord? {
        let id = JobID()
        let insertion = insertion(of: request, as: id, limit: limit, peer: peer)
        let role = Query("act-as", "SET LOCAL ROLE \(DatabaseRole.worker)")
        // If COMMIT needed a round trip of its own, the slot row of the claimed tenant would stay locked for longer.
        guard let claim, try await connection.canCommit(with: [insertion, role, claim.query()]),
            let recent = claim.reserve(replacingRun: false)
        else { return try await connection.query(insertion).first.map { try JobRecord($0) } }
        let answers = try await connection.query(last: [insertion, role, claim.query(recent: recent)])
        let claimed = try LeaseStore.Claim(answers[2])
        claim.answered(claimed)
        guard let row = answers[0].first else { throw NothingInserted() }
        let job = try JobRecord(row)
        return if let mine = claimed.job, mine.id == id { job.claimed(as: mine) } else { job }
    }

    private func insertion(of request: Request, as id: JobID, limit: Int, peer: CallingProcess) -> Query {
        var parameters = Parameters([
            .text(id.description), .text(request.tenantKey), .text(request.tenantSlug), .text(request.actorKey),
            .text(request.actorEmail), .text(request.options), .text(request.idempotency?.key),
            .text(request.idempotency?.hash), .integer(limit), .integer(peer.uid), .integer(peer.gid), .integer(peer.pid),
        ])
        // Sent also if the job runs at once: other workers then poll, see the lease, and look for dead workers every second.
        let notification =
            worker.map { QueueNotification.work.sql(from: parameters.add(.text($0.description))) }
            ?? QueueNotification.work.sql
        // A program of the previous version locks the slot's row instead. Between such a start and this one, the unique index
        // decides.
        return Query(
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
                \(Audit.insertion(of: "'requested'", jobs: "j", peer: ("$10", "$11", "$12"), details: "$6::jsonb"))
            )
            SELECT \(JobRecord.columns), \(notification) FROM j LEFT JOIN adminexport.lease l ON l.job = j.id
            """, parameters.values)
    }

    /// The time after which a full queue may have room: the median duration of the last runs, from 1 s to 60 s.
    private func medianRun(on connection: isolated PostgresConnection) async throws -> Duration {
        let rows = try await connection.query(Query("median-run", Self.medianRunSQL))
        guard let median = try rows.first?.decodeIfPresent("median", as: Int.self) else { return .seconds(5) }
        return min(max(.milliseconds(median), .seconds(1)), .seconds(60))
    }

    /// The workbooks that expire last are those that were finished last. Reads twenty entries of the index `job_to_expire`,
    /// however long the history is.
    static let medianRunSQL = """
        SELECT (1000 * extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at)))::bigint
            AS median
        FROM (SELECT started_at, finished_at FROM adminexport.job WHERE state = 'succeeded' AND NOT hold
              ORDER BY expires_at DESC LIMIT 20) AS last
        """

    /// Whether the key of `adminexport.job j` is still bound. The parameter with this number is the lifetime of keys.
    private static func keepsKey(_ parameter: Int) -> String {
        """
        j.created_at > clock_timestamp() - $\(parameter)::interval
            AND j.state IN (\(JobList.words(JobState.allCases.filter(\.keepsKey)))) AND NOT \(JobRecord.isOverdue)
        """
    }

    /// Takes the request's key from a job to which it is no longer bound.
    private func releaseKey(
        of request: Request, _ limits: Limits, on connection: isolated PostgresConnection
    ) async throws {
        guard let key = request.idempotency?.key else { return }
        try await connection.query(
            Query(
                "release-key",
                """
                UPDATE adminexport.job j SET idempotency_key = NULL, idempotency_hash = NULL
                WHERE j.tenant_key = $1 AND j.actor_key = $2 AND j.idempotency_key = $3 AND NOT (\(Self.keepsKey(4)))
                """,
                [.text(request.tenantKey), .text(request.actorKey), .text(key), .interval(limits.keyLifetime)]))
    }

    /// The job to which the request's idempotency key is bound.
    private func replayed(
        _ request: Request, _ limits: Limits, on connection: isolated PostgresConnection
    ) async throws -> JobRecord? {
        guard let idempotency = request.idempotency else { return nil }
        let rows = try await connection.query(
            Query(
                "find-replayed",
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

    /// The jobs that a requester may see or change.
    package enum Owner: Sendable {
        /// For an administrator: the jobs that this actor has started. The keys are those of the directory, as text.
        case actor(tenantKey: String, actorKey: String)
        /// For operators: the jobs of the tenants with these keys; nil for all tenants.
        case anyone(ofTenants: [String]?)
        /// For operators of all tenants: the jobs that show this slug. A label is for searching; it does not decide about
        /// permissions.
        case labelled(String)

        /// A condition on `adminexport.job j`. Each case has its own, so that each has one good plan.
        func condition(_ parameters: inout Parameters) -> String {
            switch self {
            case .actor(let tenant, let actor):
                "j.tenant_key = \(parameters.add(.text(tenant))) AND j.actor_key = \(parameters.add(.text(actor)))"
            case .anyone(let keys?): "j.tenant_key = ANY (\(parameters.add(.texts(keys)))::text[])"
            case .anyone(nil): "true"
            case .labelled(let slug): "j.tenant_slug = \(parameters.add(.text(slug)))"
            }
        }
    }

    /// Reads one job.
    ///
    /// - Throws: ``QueueError/notFound``, also for a job of another owner.
    package func get(
        _ id: JobID, owner: Owner, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        var parameters = Parameters([.text(id.description)])
        let condition = owner.condition(&parameters)
        let rows = try await connection.query(
            Query(
                "get", "SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE j.id = $1::uuid AND \(condition)",
                parameters.values))
        guard let row = rows.first else { throw QueueError.notFound }
        return try JobRecord(row)
    }

    /// The jobs whose revision is greater than the known one. Uses the primary keys of jobs and leases, as ``JobBatchLoader`` does.
    package func changed(
        since known: [JobID: Int], on connection: isolated PostgresConnection
    ) async throws -> [JobRecord] {
        let known = Array(known)
        let rows = try await connection.query(
            Query("changed", Self.changedSQL, [.texts(known.map(\.key.description)), .texts(known.map { "\($0.value)" })]))
        return try rows.map { try JobRecord($0) }
    }

    static let changedSQL = """
        SELECT job.* FROM unnest($1::uuid[], $2::bigint[]) AS known (id, revision) JOIN LATERAL (
            SELECT \(JobRecord.columns) FROM \(JobRecord.source)
            WHERE j.id = known.id AND j.revision + coalesce(l.seq, 0) > known.revision LIMIT 1) AS job ON true
        """

    /// The receipt of a job as JSON; nil if it has none. Uses the primary key.
    ///
    /// - Parameter id: a job that the caller may see.
    func receipt(_ id: JobID, on connection: isolated PostgresConnection) async throws -> String? {
        try await connection.query(
            Query("receipt", "SELECT receipt FROM adminexport.job WHERE id = $1::uuid", [.text(id.description)])
        ).first?.decodeIfPresent("receipt")
    }

    /// Lists jobs, the newest first.
    ///
    /// - Parameter before: the last id of the previous page.
    package func list(
        owner: Owner, states: [JobState], before: JobID?, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> [JobRecord] {
        try await connection.query(Self.listQuery(owner: owner, states: states, before: before, limit: limit))
            .map { try JobRecord($0) }
    }

    /// For an actor, reads the index on `(tenant_key, actor_key, id)` from its end; for operators see ``JobList``.
    static func listQuery(owner: Owner, states: [JobState], before: JobID?, limit: Int) -> Query {
        var parameters = Parameters([.integer(limit)])
        let list = JobList(states: states, before: before.map { "\(parameters.add(.text($0.description)))::uuid" })
        let sql =
            switch owner {
            case .actor: list.ofActor(owner.condition(&parameters))
            case .anyone(let keys?): list.ofTenants(parameters.add(.texts(keys)))
            case .labelled(let slug): list.ofLabel("\(parameters.add(.text(slug)))::text")
            case .anyone(nil): list.ofAll()
            }
        return Query("list", sql, parameters.values)
    }

    /// Cancels a queued job at once, and asks the worker of a running job to stop. A finished job does not change.
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
        // Only this event names the caller. The worker writes another one when it has stopped.
        try await Audit.record(
            [Audit.Entry(.cancelled, of: job, peer: peer, reason: machine.state == .cancelled ? nil : "requested")],
            on: connection)
        return try await get(id, owner: owner, on: connection)
    }

    /// Deletes the workbook of a finished job. This changes the row; a worker removes the file later.
    ///
    /// - Throws: ``QueueError/notReady(_:)`` while the job is queued or runs, ``QueueError/held``.
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
                WHERE id = $1::uuid AND state = 'succeeded' AND NOT hold RETURNING \(QueueNotification.work.sql)
                """, [.text(id.description)]))
        try await Audit.record([Audit.Entry(.deleted, of: job, peer: peer)], on: connection)
        return try await get(id, owner: owner, on: connection)
    }

    /// What an operator wants to do with a legal hold.
    package enum HoldChange: Sendable, Hashable {
        /// Begins a hold, or changes the reason and the end of one if any of them is given.
        ///
        /// - Parameters:
        ///   - reason: why, in words.
        ///   - until: when the hold ends by itself, in microseconds since 1970; nil for never.
        case begin(reason: String? = nil, until: Int? = nil)
        /// Ends a hold.
        ///
        /// - Parameter reason: why, for the audit trail.
        case end(reason: String? = nil)
    }

    /// Begins, changes or ends a legal hold, which keeps the file and the row from expiry and deletion.
    ///
    /// - Throws: ``QueueError/notReady(_:)`` if the workbook has expired.
    package func hold(
        _ id: JobID, _ change: HoldChange, owner: Owner, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> JobRecord {
        let (isHeld, reason, until): (Bool, String?, Int?) =
            switch change {
            case .begin(let reason, let until): (true, reason, until)
            case .end(let reason): (false, reason, nil)
            }
        let (job, changed) = try await lock(id, owner: owner, toApply: .held(isHeld), on: connection)
        if job.isHeld == isHeld {
            guard isHeld, reason != nil || until != nil else { return job }
        } else {
            guard changed != nil else { throw QueueError.notReady(job.state) }
        }
        try await connection.query(
            isHeld
                ? Query(
                    "hold",
                    """
                    UPDATE adminexport.job SET hold = true, revision = revision + 1, hold_since = clock_timestamp(),
                        hold_uid = $2::bigint, hold_reason = $3::text,
                        hold_until = '1970-01-01 00:00+00'::timestamptz + $4::bigint * interval '1 microsecond'
                    WHERE id = $1::uuid
                    """,
                    [.text(id.description), .integer(peer.uid), .text(reason), .text(until.map(String.init))])
                : Query(
                    "end-hold",
                    """
                    UPDATE adminexport.job SET hold = false, revision = revision + 1, hold_since = NULL, hold_uid = NULL,
                        hold_reason = NULL, hold_until = NULL
                    WHERE id = $1::uuid
                    """, [.text(id.description)]))
        let held = try await get(id, owner: owner, on: connection)
        var entry = Audit.Entry(.held, of: job, peer: peer, reason: isHeld ? "on" : "off")
        entry.details = try HoldDetails(reason: reason, until: until).json
        try await Audit.record([entry], on: connection)
        return held
    }

    /// The details of an event about a hold.
    private struct HoldDetails: Encodable {
        let reason: String?
        let until: Int?

        private enum CodingKeys: String, CodingKey {
            case reason, until
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(reason, forKey: .reason)
            try container.encodeIfPresent(until.map { EvidenceTime.text(microseconds: $0) }, forKey: .until)
        }

        var json: String { get throws { String(decoding: try JSON.encode(self), as: UTF8.self) } }
    }

    /// Lists the jobs under a legal hold, the newest first. Reads the index `job_held`, which contains no other jobs.
    ///
    /// - Parameter before: the last id of the previous page.
    package func held(
        owner: Owner, before: JobID?, limit: Int, on connection: isolated PostgresConnection
    ) async throws -> [JobRecord] {
        var parameters = Parameters([.integer(limit)])
        var conditions = ["j.hold"]
        switch owner {
        case .anyone(nil): break
        case .anyone(let keys?): conditions.append("j.tenant_key = ANY (\(parameters.add(.texts(keys)))::text[])")
        case .labelled(let slug): conditions.append("j.tenant_slug = \(parameters.add(.text(slug)))::text")
        case .actor: conditions.append(owner.condition(&parameters))
        }
        if let before { conditions.append("j.id < \(parameters.add(.text(before.description)))::uuid") }
        return try await connection.query(
            Query(
                "held",
                """
                SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE \(conditions.joined(separator: " AND "))
                ORDER BY j.id DESC LIMIT $1::int
                """, parameters.values)
        ).map { try JobRecord($0) }
    }

    /// Reads the job, and locks its row until the end of the transaction if the event changes it.
    ///
    /// It reads before it locks, because a claim skips a locked row: a request that is refused must not lock it.
    ///
    /// - Returns: the job, and the job after the event; nil if the rules refuse the event.
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

/// Another start holds the tenant's lock, and this start asked not to wait.
package struct StartLockHeld: Error, Sendable {
    /// The key of the tenant whose lock is held.
    package let tenantKey: String
}

/// Why the queue refuses a request.
package enum QueueError: Error, Equatable, Sendable {
    /// There is no such job, or the caller may not see it.
    case notFound
    /// The idempotency key is bound to a job with other parameters.
    case conflict
    /// The tenant has as many queued jobs as its limit allows.
    ///
    /// - Parameter retryAfter: the time after which there may be room.
    case quotaExceeded(limit: Int, retryAfter: Duration)
    /// Other starts of the tenant did not end in time.
    case busy
    /// The state of the job does not allow the request.
    case notReady(JobState)
    /// A legal hold keeps the file.
    case held
    /// There is no such worker, or it has stopped.
    case noWorker
}
