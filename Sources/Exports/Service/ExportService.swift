package import Archive
private import Crypto
package import Directory
package import Postgres
private import Synchronization

/// The operations of the service, in terms of the domain. They know neither JSON nor sockets.
///
/// Transactions run as `adminexport_api`; the joined claim of a start runs as the worker's role. Each one determines again who the actor is and what the actor may do.
package struct ExportService: Sendable {
    /// The name of the product in the properties of workbooks.
    package static let productName = "adminexport"

    /// Connections to the jobs' database.
    package let pool: PostgresPool
    let directory: DirectoryDatabase
    let disk: ArchiveDisk
    private let transfers: Transfers
    private let watch: JobWatch
    private let trail: AuditWriter
    private let bounds: @Sendable () -> JobStore.Limits
    private let otherGroups: @Sendable () -> OtherGroups
    private let attributes: [Attribute]
    private let hasSigningKey: @Sendable () -> Bool
    private let worker: Worker?
    let jobs: JobStore
    private let storeCheck = SingleFlight<Void>()
    let spaceCheck = SingleFlight<(free: Int, size: Int)>()
    private let loader: JobBatchLoader
    private let turns = StartTurns()

    /// Creates the service.
    ///
    /// - Parameters:
    ///   - directory: the directory in which permissions are checked.
    ///   - disk: the archives.
    ///   - trail: writes the audit events that no caller waits for.
    ///   - worker: the worker of this process, for which starts claim and which they wake; nil if there is none.
    ///   - bounds: the limits of a start, which can change while the service runs.
    ///   - attributes: the further columns of workbooks.
    ///   - otherGroups: what actors may see of groups outside their scope.
    ///   - hasSigningKey: whether the installation has a key with which workers sign receipts.
    package init(
        pool: PostgresPool, directory: DirectoryDatabase, disk: ArchiveDisk, transfers: Transfers, watch: JobWatch,
        trail: AuditWriter, worker: Worker? = nil, bounds: @escaping @Sendable () -> JobStore.Limits,
        attributes: [Attribute] = [], otherGroups: @escaping @Sendable () -> OtherGroups,
        hasSigningKey: @escaping @Sendable () -> Bool = { false }
    ) {
        self.pool = pool
        self.transfers = transfers
        self.watch = watch
        self.worker = worker
        jobs = JobStore(worker: worker?.id)
        self.trail = trail
        self.directory = directory
        self.bounds = bounds
        self.otherGroups = otherGroups
        self.attributes = attributes
        self.hasSigningKey = hasSigningKey
        self.disk = disk
        loader = JobBatchLoader(pool: pool, directory: directory)
    }

    func transaction<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(role: DatabaseRole.api, body)
    }

    // MARK: Jobs

    /// Starts an export, or returns the one to which the idempotency key is bound.
    ///
    /// Starts of one tenant run one after another. A start that finds the tenant's lock taken returns its connection and waits
    /// without one, so the starts of other tenants find connections. A start that is refused or repeated takes no lock and does
    /// not wait.
    ///
    /// - Throws: ``DirectoryError/denied(_:)``; ``QueueError``; ``PostgresError``.
    ///
    /// - Parameter request: what the caller has sent, as ``ExportOptions/request(includeDisabled:includeReferences:includeAbout:)``; nil for
    ///   the options of the export. The idempotency key is bound to it, so that the same request returns the same job after a change of a default.
    package func start(
        _ actor: ActorRequest, options: ExportOptions, request: String? = nil, idempotencyKey: String?
    ) async throws -> JobStore.Started {
        do {
            let started = try await startInTurn(
                actor, options,
                try idempotencyKey.map { ($0, SHA256.hash(data: Array(try (request ?? options.json).utf8)).hexadecimal) })
            if started.job.state == .queued, !started.isReplayed { worker?.wakeSignal.signal() }
            return started
        } catch  where error is PostgresError || error is CancellationError {
            // The start may be committed although its answer was lost.
            worker?.wakeSignal.signal()
            throw error
        }
    }

    /// A key, and the hash of the options to which it is bound.
    private typealias Idempotency = (key: String, hash: String)

    private func startInTurn(
        _ actor: ActorRequest, _ options: ExportOptions, _ idempotency: Idempotency?
    ) async throws -> JobStore.Started {
        do {
            return try await start(actor, options, idempotency, turn: .now)
        } catch let taken as StartLockHeld {
            return try await turns.withPlace(of: taken.tenantKey) { left in
                try await start(actor, options, idempotency, turn: .within(left))
            }
        }
    }

    private func start(
        _ actor: ActorRequest, _ options: ExportOptions, _ idempotency: Idempotency?, turn: JobStore.LockWait
    ) async throws -> JobStore.Started {
        let claim = worker?.joinedClaim()
        do {
            let started = try await start(actor, options, idempotency, turn: turn, claim)
            claim?.committed()
            return started
        } catch {
            if error is NothingInserted { claim?.committed() } else { claim?.failed(error) }
            guard error is NothingInserted || JoinedClaim.hasFailed(error) else { throw error }
            return try await start(actor, options, idempotency, turn: turn, nil)
        }
    }

    private func start(
        _ actor: ActorRequest, _ options: ExportOptions, _ idempotency: Idempotency?, turn: JobStore.LockWait,
        _ claim: JoinedClaim?
    ) async throws -> JobStore.Started {
        let json = try options.json
        return try await directory.ask { connection, keys in
            try await ExportPermission.check(actor.reference, keys: keys, on: connection)
        } then: { permission, connection in
            let request = JobStore.Request(
                tenantKey: permission.identity.tenantKey, tenantSlug: permission.identity.tenantSlug,
                actorKey: permission.identity.actorKey, actorEmail: permission.identity.actorEmail, options: json,
                idempotency: idempotency)
            do {
                return try await jobs.enqueue(request, bounds(), peer: actor.peer, wait: turn, claim: claim, on: connection)
            } catch let error as PostgresError where error.isUnstorableText {
                // All other texts come from the database itself.
                throw UnstorableText(parameter: "idempotencyKey")
            }
        }
    }

    /// Returns an actor's own job. The job stays visible to the actor who started it even when the actor may no longer export.
    package func get(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        switch requester {
        case .actor(let actor):
            try await loader.job(
                JobBatchLoader.Request(tenant: actor.tenant, email: actor.email, grant: actor.grant, job: id))
        case .operator:
            try await acting(for: requester) { try await jobs.get(id, owner: $0, on: $1) }
        }
    }

    /// Lists the jobs that the requester may see, the newest first.
    ///
    /// - Parameters:
    ///   - states: the states to list; all if there are none.
    ///   - before: the last id of the previous page.
    /// - Throws: as ``acting(for:_:)``.
    package func list(_ requester: Requester, states: [JobState], before: JobID?, limit: Int) async throws -> [JobRecord] {
        try await acting(for: requester) { owner, connection in
            try await jobs.list(owner: owner, states: states, before: before, limit: limit, on: connection)
        }
    }

    /// Cancels a queued job at once, and asks the worker of a running job to stop. A finished job does not change.
    ///
    /// - Throws: as ``acting(for:_:)``; ``QueueError/notFound``.
    package func cancel(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        try await acting(for: requester) { owner, connection in
            try await jobs.cancel(id, owner: owner, peer: requester.peer, on: connection)
        }
    }

    /// Deletes the workbook of a finished job.
    ///
    /// - Throws: as ``acting(for:_:)``; ``QueueError/notFound``, ``QueueError/notReady(_:)``, ``QueueError/held``.
    package func delete(_ requester: Requester, job id: JobID) async throws -> JobRecord {
        try await acting(for: requester) { owner, connection in
            try await jobs.delete(id, owner: owner, peer: requester.peer, on: connection)
        }
    }

    /// Determines in the directory whose jobs the requester may see now, and runs the body for these. A grant for all tenants,
    /// or for tenants by key, needs no query of the directory.
    ///
    /// - Throws: ``TenantNotGranted``, ``DirectoryError/denied(_:)``, ``DirectoryUnavailable``, or what the body throws.
    func acting<Result: Sendable>(
        for requester: Requester, _ body: @Sendable (JobStore.Owner, isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        switch requester {
        case .operator(_, let grant, let tenant):
            // An operator of all tenants names a tenant by the label in jobs and events, and so also finds a tenant that no
            // longer exists.
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

    /// Waits for a revision greater than the given one, at most for the timeout, and returns the job as it is then.
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

    /// Reports a job's changes from the given revision on until the job is final; see ``JobWatch``.
    ///
    /// - Parameter job: a job that ``get(_:job:)`` returned, which checks the permission.
    /// - Returns: a function that ends the watch.
    package func watch(_ job: JobRecord, _ tell: @escaping JobWatch.Handler) -> @Sendable () -> Void {
        let id = watch.watch(job, after: job.revision, continuously: true, tell)
        return { [watch] in watch.cancel(id) }
    }

    /// Operations on archives that have taken longer than a caller waits.
    package var stuckFileOperations: Int { disk.stuck }

    /// What is wrong with the archives' directory, in words; nil if nothing is.
    ///
    /// - Throws: ``PostgresError``
    package func storageFault() async throws -> String? {
        try await storageFault(transaction { try await StoreFacts.load(on: $0) })
    }

    /// The same, for facts that were already read from the database.
    func storageFault(_ facts: StoreFacts) async throws -> String? {
        do {
            try await storeCheck.run(timeout: .seconds(3)) { [disk] in try await disk.verify(facts, mayCreate: false) }
            return nil
        } catch is SingleFlightTimeout {
            return "the archives' disk does not answer"
        } catch let error as ArchiveError {
            // Before the first export the directory has no id, so nothing can be missing.
            return error.code == .wrongStore && facts.isNew ? nil : error.message
        }
    }

    // MARK: Files

    /// A part of a finished job's workbook.
    package struct Part: Sendable {
        /// The bytes of the part. Fewer than requested only at the end of the workbook.
        package let bytes: [UInt8]
        /// The size of the whole workbook, in bytes.
        package let size: Int
        /// The delivery, if the trail has this read as `downloaded`.
        package internal(set) var delivery: Delivery?
    }

    /// Reads a part of the workbook, if the actor may have it now.
    ///
    /// - Parameter isFirst: whether this is the first read of the job by the caller's connection. Only that one is in the audit
    ///   trail.
    /// - Throws: ``DirectoryError/denied(_:)`` if the actor may not export any more, or sees less than the file contains;
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

    /// What ``open(_:job:as:)`` delivers.
    package enum Form: Sendable {
        /// The workbook's bytes from an offset on, through a pipe.
        case content(offset: Int)
        /// The archive file itself.
        case archive
    }

    /// Opens the workbook, if the actor may have it now, and records that in the audit trail. A reader can read an open file to
    /// its end even if the file is removed.
    ///
    /// - Throws: as ``read(_:job:offset:length:isFirst:)``; ``OffsetBeyondEnd``; ``TooManyTransfers``;
    ///   ``TooManyFileOperations``.
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

    /// Adds the job to an error of its archive, and reports that nothing was delivered.
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
        /// The delivery, if the trail has it as `downloaded`.
        let delivery: Delivery?
    }

    /// Returns the actor's finished job and the name of its file, if the actor may have the file now.
    ///
    /// - Parameter offset: an offset that must not be beyond the end of the workbook; checked before anything is recorded.
    private func permitted(
        _ actor: ActorRequest, _ id: JobID, from offset: Int = 0, isAudited: Bool
    ) async throws -> Permitted {
        let audited = Mutex<Delivery?>(nil)
        do {
            return try await permitting(actor, id, in: [.succeeded]) { job, result, identity, connection in
                guard let name = job.archiveName else { throw QueueError.notReady(job.state) }
                guard offset <= result.size else { throw OffsetBeyondEnd(size: result.size) }
                let facts = try await StoreFacts.load(on: connection)
                if isAudited {
                    try await Audit.record([Audit.Entry(.downloaded, of: id, by: identity, actor.peer)], on: connection)
                    audited.withLock { $0 = delivery(of: id, to: identity, actor.peer) }
                }
                return Permitted(job: job, name: name, facts: facts, delivery: audited.withLock { $0 })
            }
        } catch let error as CancellationError {
            // The transaction was rolled back, and the event with it.
            throw error
        } catch {
            // If the event was written, only the commit can have failed.
            audited.withLock { $0 }?.failed(.databaseUnavailable)
            throw error
        }
    }

    /// Checks that the actor may have what the job has made now, and runs the body in the same transaction.
    ///
    /// - Parameter states: the states of jobs that have it.
    /// - Throws: ``DirectoryError/denied(_:)``, ``QueueError``, ``PostgresError``, or what the body throws.
    private func permitting<Result: Sendable>(
        _ actor: ActorRequest, _ id: JobID, in states: Set<JobState>,
        _ body: @Sendable (JobRecord, JobResult, ActorIdentity, isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await directory.ask { connection, keys in
            // Without declared attributes, no file with further columns is delivered.
            try await ExportPermission.check(
                actor.reference, listsPermissions: !attributes.isEmpty, keys: keys, on: connection)
        } then: { permission, connection in
            let identity = permission.identity
            let job = try await jobs.get(
                id, owner: JobStore.Owner.actor(tenantKey: identity.tenantKey, actorKey: identity.actorKey),
                on: connection)
            guard states.contains(job.state), let result = job.result else { throw QueueError.notReady(job.state) }
            guard permission.scope.mayRead(fileOf: result.scopeDigest, otherGroups()) else {
                throw DirectoryError.denied(.scopeChanged)
            }
            guard
                attributes.permitFile(
                    with: result.attributes, requiring: result.columnPermissions,
                    to: permission.permissions ?? PermissionNames())
            else {
                throw DirectoryError.denied(.columnsChanged)
            }
            return try await body(job, result, identity, connection)
        }
    }

    private func delivery(of job: JobID, to identity: ActorIdentity, _ peer: CallingProcess) -> Delivery {
        Delivery { [trail] failure, details in
            var entry = Audit.Entry(.undelivered, of: job, by: identity, peer)
            (entry.reason, entry.details) = (failure.rawValue, details)
            trail.undelivered(entry)
        }
    }

    // MARK: Receipts

    /// Returns the receipt of a workbook as JSON, if the actor may have the workbook now, and records that in the audit trail. The receipt
    /// remains when the workbook has expired.
    ///
    /// - Throws: as ``read(_:job:offset:length:isFirst:)``; ``NoReceipt``.
    package func receipt(_ actor: ActorRequest, job id: JobID) async throws -> String {
        try await permitting(actor, id, in: [.succeeded, .expired]) { _, _, identity, connection in
            guard let receipt = try await jobs.receipt(id, on: connection) else {
                throw hasSigningKey() ? NoReceipt.madeBefore : NoReceipt.noKey
            }
            try await Audit.record([Audit.Entry(.receiptFetched, of: id, by: identity, actor.peer)], on: connection)
            return receipt
        }
    }
}

/// Why a workbook has no receipt. The raw values are the reasons on the wire.
package enum NoReceipt: String, Error, Sendable {
    /// There is a key, and the worker that made the workbook had none: because it was made before, or because that worker lacks the key.
    case madeBefore = "made-before"
    /// The service has no active public key.
    case noKey = "no-key"
}

extension Audit.Entry {
    fileprivate init(_ event: Audit.Event, of job: JobID, by actor: ActorIdentity, _ peer: CallingProcess) {
        self.init(
            event: event, job: job, tenantKey: actor.tenantKey, tenant: actor.tenantSlug, actorKey: actor.actorKey,
            actorEmail: actor.actorEmail, peer: peer)
    }
}

/// A text of a caller contains characters that the encoding of the database lacks.
package struct UnstorableText: Error, Sendable {
    /// The name of the parameter with the text.
    package let parameter: String
}

extension JobStore.Owner {
    fileprivate init(_ tenants: GrantedTenants) {
        switch tenants {
        case .all: self = .anyone(ofTenants: nil)
        case .keys(let keys): self = .anyone(ofTenants: keys)
        }
    }

    /// Removes texts that the jobs' database cannot store: no job and no event there has them.
    fileprivate func storable(on connection: isolated PostgresConnection) async throws -> JobStore.Owner {
        switch self {
        case .actor, .anyone(ofTenants: nil): self
        case .anyone(ofTenants: let keys?): .anyone(ofTenants: try await connection.storable(keys))
        case .labelled(let slug): try await connection.storable([slug]).isEmpty ? .anyone(ofTenants: []) : self
        }
    }
}

/// The archive of a finished job cannot be read.
package struct UnreadableArchive: Error, Sendable {
    /// The job whose archive it is.
    package let job: JobID
    /// Why the archive cannot be read.
    package let fault: ArchiveError
}
