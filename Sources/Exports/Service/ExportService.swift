package import Archive
private import Crypto
private import Directory
package import Postgres
private import Synchronization

/// What callers can ask for, in the domain's terms. Knows no JSON and no socket.
///
/// Transactions run as `adminexport_api`. Each reads again who the actor is and what the actor may do.
package struct ExportService: Sendable {
    package static let productName = "adminexport"

    package let pool: PostgresPool
    let directory: DirectoryDatabase
    let disk: ArchiveDisk
    private let transfers: Transfers
    private let watch: JobWatch
    private let trail: AuditWriter
    private let bounds: @Sendable () -> JobStore.Limits
    let jobs = JobStore()
    private let storeCheck = SingleFlight<Void>()
    let spaceCheck = SingleFlight<(free: Int, size: Int)>()
    private let loader: JobBatchLoader
    private let turns = StartTurns()

    package init(
        pool: PostgresPool, directory: DirectoryDatabase, disk: ArchiveDisk, transfers: Transfers, watch: JobWatch,
        trail: AuditWriter, bounds: @escaping @Sendable () -> JobStore.Limits
    ) {
        self.pool = pool
        self.transfers = transfers
        self.watch = watch
        self.trail = trail
        self.directory = directory
        self.bounds = bounds
        self.disk = disk
        loader = JobBatchLoader(pool: pool, directory: directory)
    }

    func transaction<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(role: DatabaseRole.api, body)
    }

    // MARK: Jobs

    /// Puts an export in the queue, or gives the one for which the idempotency key stands.
    ///
    /// Starts of one tenant take turns. One whose turn it is not gives its connection back, and waits without: however many starts a
    /// tenant has, and however long they take, the others find connections. What is refused or repeated waits for nobody.
    ///
    /// - Throws: ``DirectoryError/denied(_:)``; ``QueueError``; ``PostgresError``.
    package func start(_ actor: ActorRequest, options: ExportOptions, idempotencyKey: String?) async throws
        -> JobStore.Started
    {
        do {
            return try await start(actor, options, idempotencyKey, turn: .now)
        } catch let taken as StartLockHeld {
            return try await turns.withPlace(of: taken.tenantKey) { left in
                try await start(actor, options, idempotencyKey, turn: .within(left))
            }
        }
    }

    private func start(
        _ actor: ActorRequest, _ options: ExportOptions, _ idempotencyKey: String?, turn: JobStore.LockWait
    ) async throws -> JobStore.Started {
        let json = try options.json
        let hash = SHA256.hash(data: Array(json.utf8)).hexadecimal
        return try await directory.ask { connection, keys in
            try await ExportPermission.check(actor.reference, keys: keys, on: connection)
        } then: { permission, connection in
            let request = JobStore.Request(
                tenantKey: permission.identity.tenantKey, tenantSlug: permission.identity.tenantSlug,
                actorKey: permission.identity.actorKey, actorEmail: permission.identity.actorEmail, options: json,
                idempotency: idempotencyKey.map { ($0, hash) })
            do {
                return try await jobs.enqueue(request, bounds(), peer: actor.peer, wait: turn, on: connection)
            } catch let error as PostgresError where error.isUnstorableText {
                // All else comes from the database itself.
                throw UnstorableText(parameter: "idempotencyKey")
            }
        }
    }

    /// An actor's own job. A job is visible to who asked for it also when they may not export any more.
    package func get(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        switch requester {
        case .actor(let actor):
            try await loader.job(
                JobBatchLoader.Request(tenant: actor.tenant, email: actor.email, grant: actor.grant, job: id))
        case .operator:
            try await acting(for: requester) { try await jobs.get(id, owner: $0, on: $1) }
        }
    }

    package func list(_ requester: Requester, states: [JobState], before: JobID?, limit: Int) async throws -> [JobRecord] {
        try await acting(for: requester) { owner, connection in
            try await jobs.list(owner: owner, states: states, before: before, limit: limit, on: connection)
        }
    }

    package func cancel(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        try await acting(for: requester) { owner, connection in
            try await jobs.cancel(id, owner: owner, peer: requester.peer, on: connection)
        }
    }

    package func delete(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        try await acting(for: requester) { owner, connection in
            try await jobs.delete(id, owner: owner, peer: requester.peer, on: connection)
        }
    }

    /// Asks the directory whose jobs the requester may see now, and acts on that. A grant for all
    /// tenants, or for tenants by key, needs no query of the directory.
    ///
    /// - Throws: ``TenantNotGranted``, ``DirectoryError/denied(_:)``, ``DirectoryUnavailable``, or what the body throws.
    func acting<Result: Sendable>(
        for requester: Requester, _ body: @Sendable (JobStore.Owner, isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        switch requester {
        case .operator(_, let grant, let tenant):
            // Who may see everything names a tenant as the jobs and events show it, and finds also one that is gone.
            if let tenant, grant.tenants == .all {
                return try await transaction { try await body(JobStore.Owner.labelled(tenant).storable(on: $0), $0) }
            }
            if tenant == nil, let tenants = grant.resolvedWithoutDirectory(try? directory.keys) {
                return try await transaction { try await body(JobStore.Owner(tenants).storable(on: $0), $0) }
            }
            return try await directory.ask { connection, keys in
                JobStore.Owner(try await grant.resolve(only: tenant, keys, on: connection))
            } then: { owner, connection in
                try await body(owner.storable(on: connection), connection)
            }
        case .actor(let actor):
            return try await directory.ask { connection, keys in
                let identity = try await ActorIdentity.find(actor.reference, keys: keys, on: connection)
                return JobStore.Owner.actor(tenantKey: identity.tenantKey, actorKey: identity.actorKey)
            } then: { owner, connection in
                try await body(owner, connection)
            }
        }
    }

    /// Waits for a revision past the given one, at most so long; gives the job as it stands then.
    ///
    /// - Parameter revision: nil for the next change from now on.
    package func wait(
        _ requester: Requester, job id: JobID, after revision: Int?, timeout: Duration
    ) async throws -> JobRecord {
        let job = try await get(requester, job: id)
        let known = revision ?? job.revision
        guard job.revision <= known, !job.state.isFinal else { return job }
        if let changed = try await watch.change(of: job, after: known, within: timeout) { return changed }
        return try await get(requester, job: id)
    }

    /// Tells of a job's changes from the one that is known until it is final; see ``JobWatch``.
    ///
    /// - Parameter job: one that ``get(_:job:)`` gave, which is where it was asked whose it is.
    /// - Returns: how to end it.
    package func watch(_ job: JobRecord, _ tell: @escaping JobWatch.Handler) -> @Sendable () -> Void {
        let id = watch.watch(job, after: job.revision, continuously: true, tell)
        return { [watch] in watch.cancel(id) }
    }

    /// Operations on archives that take longer than a caller waits.
    package var stuckFileOperations: Int { disk.stuck }

    /// What is wrong with the archives' directory; nil where nothing is.
    ///
    /// - Throws: faults of the database.
    package func storageFault() async throws -> String? {
        try await storageFault(transaction { try await StoreFacts.load(on: $0) })
    }

    /// The same, held to what is known of the database's directory.
    func storageFault(_ facts: StoreFacts) async throws -> String? {
        do {
            try await storeCheck.run(timeout: .seconds(3)) { [disk] in try await disk.verify(facts, mayCreate: false) }
            return nil
        } catch is SingleFlightTimeout {
            return "the archives' disk does not answer"
        } catch let error as ArchiveError {
            // Before the first export there is no id, and nothing that could be missing.
            return error.code == .wrongStore && facts.isNew ? nil : error.message
        }
    }

    // MARK: Files

    /// A part of a finished job's workbook.
    package struct Part: Sendable {
        package let bytes: [UInt8]
        /// Of the whole workbook.
        package let size: Int
        /// Of what was written to the audit trail as downloaded.
        package internal(set) var delivery: Delivery?
    }

    /// Reads a part of the workbook for an actor who may have it now.
    ///
    /// - Parameter isFirst: the first read of this job by the caller's connection, which is written to the audit trail.
    /// - Throws: ``DirectoryError/denied(_:)`` where the actor may not export any more or sees less than the file holds;
    ///   ``QueueError``; ``UnreadableArchive``; ``PostgresError``.
    package func read(
        _ actor: ActorRequest, job id: JobID, offset: Int, length: Int, isFirst: Bool
    ) async throws -> Part {
        let found = try await permitted(actor, id, isAudited: isFirst)
        var part = try await Self.reading(found) {
            try await disk.on(.user(actor.peer.uid)).read(found.name, offset: offset, length: length, facts: found.facts)
        }
        part.delivery = found.delivery
        return part
    }

    /// What ``open(_:job:as:)`` gives.
    package enum Form: Sendable {
        /// The workbook's bytes from an offset on, through a pipe.
        case content(offset: Int)
        /// The archive as it lies on the disk.
        case archive
    }

    /// Opens the workbook for an actor who may have it now, and writes that to the audit trail. A file that is removed later
    /// is read to its end all the same.
    ///
    /// - Throws: as ``read(_:job:offset:length:isFirst:)``; ``OffsetBeyondEnd``; ``TooManyTransfers``; ``TooManyFileOperations``.
    package func open(_ actor: ActorRequest, job id: JobID, as form: Form) async throws -> (job: JobRecord, file: OpenedFile)
    {
        let offset = if case .content(let offset) = form { offset } else { 0 }
        let found = try await permitted(actor, id, from: offset, isAudited: true)
        let file = try await Self.reading(found) {
            let disk = disk.on(.user(actor.peer.uid))
            return switch form {
            case .content(let offset):
                try await disk.pipe(
                    found.name, from: offset, for: actor.peer.uid, facts: found.facts, transfers: transfers,
                    delivery: found.delivery)
            case .archive: try await disk.file(found.name, facts: found.facts, delivery: found.delivery)
            }
        }
        return (found.job, file)
    }

    /// Says whose archive it is that cannot be read, and that nothing was delivered.
    private static func reading<Result: Sendable>(
        _ found: Permitted, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch {
            found.delivery?.failed(error)
            throw (error as? ArchiveError).map { UnreadableArchive(job: found.job.id, fault: $0) } ?? error
        }
    }

    /// What ``permitted(_:_:from:isAudited:)`` gives.
    private struct Permitted {
        let job: JobRecord
        let name: ArchiveName
        let facts: StoreFacts
        /// Of what was written to the audit trail as downloaded.
        let delivery: Delivery?
    }

    /// The actor's finished job, and where its file is, if they may have that now.
    ///
    /// - Parameter offset: which the workbook has to reach before anything is written down.
    private func permitted(
        _ actor: ActorRequest, _ id: JobID, from offset: Int = 0, isAudited: Bool
    ) async throws -> Permitted {
        let audited = Mutex<Delivery?>(nil)
        do {
            return try await directory.ask { connection, keys in
                try await ExportPermission.check(actor.reference, keys: keys, on: connection)
            } then: { permission, connection in
                let identity = permission.identity
                let job = try await jobs.get(
                    id, owner: JobStore.Owner.actor(tenantKey: identity.tenantKey, actorKey: identity.actorKey),
                    on: connection)
                guard job.state == .succeeded, let name = job.archiveName, let result = job.result else {
                    throw QueueError.notReady(job.state)
                }
                guard permission.scope.mayRead(fileOf: result.scopeDigest) else {
                    throw DirectoryError.denied(.scopeChanged)
                }
                guard offset <= result.size else { throw OffsetBeyondEnd(size: result.size) }
                let facts = try await StoreFacts.load(on: connection)
                if isAudited {
                    let entry = Audit.Entry(
                        event: .downloaded, job: id, tenantKey: identity.tenantKey, tenant: identity.tenantSlug,
                        actorKey: identity.actorKey, actorEmail: identity.actorEmail, peer: actor.peer)
                    try await Audit.record([entry], on: connection)
                    audited.withLock { $0 = delivery(of: id, to: identity, actor.peer) }
                }
                return Permitted(job: job, name: name, facts: facts, delivery: audited.withLock { $0 })
            }
        } catch {
            // Only the commit is left when it has been written down.
            audited.withLock { $0 }?.failed(.databaseUnavailable)
            throw error
        }
    }

    private func delivery(of job: JobID, to identity: ActorIdentity, _ peer: CallingProcess) -> Delivery {
        Delivery { [trail] failure, details in
            trail.undelivered(
                Audit.Entry(
                    event: .undelivered, job: job, tenantKey: identity.tenantKey, tenant: identity.tenantSlug,
                    actorKey: identity.actorKey, actorEmail: identity.actorEmail, peer: peer, reason: failure.rawValue,
                    details: details))
        }
    }
}

/// A caller's text that the database's encoding cannot hold.
package struct UnstorableText: Error, Sendable {
    package let parameter: String
}

extension JobStore.Owner {
    fileprivate init(_ tenants: GrantedTenants) {
        switch tenants {
        case .all: self = .anyone(ofTenants: nil)
        case .keys(let keys): self = .anyone(ofTenants: keys)
        }
    }

    /// Without what the jobs' database cannot hold: no job and no event there has it.
    fileprivate func storable(on connection: isolated PostgresConnection) async throws -> JobStore.Owner {
        switch self {
        case .actor, .anyone(ofTenants: nil): self
        case .anyone(ofTenants: let keys?): .anyone(ofTenants: try await connection.storable(keys))
        case .labelled(let slug): try await connection.storable([slug]).isEmpty ? .anyone(ofTenants: []) : self
        }
    }
}

/// A finished job's archive cannot be read.
package struct UnreadableArchive: Error, Sendable {
    package let job: JobID
    package let fault: ArchiveError
}
