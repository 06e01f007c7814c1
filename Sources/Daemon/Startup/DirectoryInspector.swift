internal import Directory
internal import Exports
internal import Logging
internal import Postgres
internal import ServiceLifecycle

/// Inspects the databases that the process needs, at the start and as long as it runs.
///
/// It waits for a database that cannot be reached. A database without our schema or roles is a ``ConfigurationFault``, which
/// ends the process. A directory that violates its contract does not end the process: ``DirectoryContract`` has the faults for
/// health, exports and requests until an inspection finds them corrected.
struct DirectoryInspector: Service {
    let jobs: PostgresPool
    /// Connects to the directory for inspections only, which do not wait for exports.
    let directory: PostgresPool
    let contract: DirectoryContract
    /// The pool with which requests of callers read the directory; nil in a process that serves none.
    let access: DirectoryDatabase?
    let roles: [String]
    /// The further columns of exports.
    let attributes: [Attribute]
    let logger: Logger
    /// One inspection at a time: an older one never overwrites what a newer one found.
    private let inspections = SingleFlight<Completed>()

    /// How often a directory with a fault is inspected, and how old the inspection may be that health reports.
    private static let interval: Duration = .seconds(5)
    /// How often a directory without a fault is inspected. A refused statement and a request for health cause an inspection earlier.
    private static let soundInterval: Duration = .seconds(60)
    /// At most one inspection in this time, however many statements are refused.
    private static let requestInterval: Duration = .seconds(1)
    /// How often the rows are searched. The search reads all of them.
    private static let rowSearchInterval: Duration = .seconds(60)
    /// How long after the start a reachable database may lack the schema: a migration is probably under way.
    private static let migrationTime: Duration = .seconds(60)
    /// How long a caller waits for an inspection that another one has started.
    private static let timeout: Duration = .seconds(3)

    /// What an inspection found.
    struct Report {
        var directory = DirectoryInspection()
        /// The privileges that the roles lack in the schema of the jobs.
        var schema: [ContractFault] = []
        /// Whether the contract did not have these faults before.
        var isNews = false
    }

    private struct Completed {
        let begun: ContinuousClock.Instant
        let isThorough: Bool
        let isNews: Bool
    }

    /// Inspects once, before the process starts its services. Accepts a database that cannot be reached, and a directory with faults, except
    /// those of a declaration in the configuration.
    ///
    /// - Throws: ``ConfigurationFault``.
    func start() async throws {
        do {
            try await checkFirst()
        } catch let error as PostgresError where error.isTransient {
            logger.report(DaemonEvent.databaseUnreachable, [.error: error])
        }
    }

    /// Checks everything the first time that the database answers.
    ///
    /// - Throws: as ``check()``; ``ConfigurationFault`` for a declaration in the configuration that the directory contradicts.
    private func checkFirst() async throws {
        let report = try await check()
        log(report)
        let faults = report.directory.faults.filter(\.isOfConfiguration)
        guard faults.isEmpty else { throw ConfigurationFault(faults.map(\.description).joined(separator: "\n")) }
    }

    /// - Throws: ``ConfigurationFault`` for an attribute whose texts the database cannot store.
    private func checkEncoding(on connection: isolated PostgresConnection) async throws {
        for attribute in attributes {
            let texts = [attribute.column, attribute.title] + (attribute.permission.map { [$0] } ?? [])
            guard try await connection.storable(texts).count < texts.count else { continue }
            throw ConfigurationFault(
                "attributes, line \(attribute.line): the encoding of the database lacks a character of the column, the title or the permission; use other characters"
            )
        }
    }

    /// Checks the schema, the roles and the directory, each thoroughly.
    ///
    /// - Throws: ``ConfigurationFault`` for what an operator has to change first; a transient ``PostgresError``.
    func check() async throws -> Report {
        try await DatabaseCheck.run(jobs, roles: roles)
        try await jobs.withConnection { try await checkEncoding(on: $0) }
        return try await DatabaseCheck.translatingFaults(of: isNamedApart ? .directory : .jobs) {
            try await directory.withConnection { [roles, access] connection in
                // Requests of callers read the directory there only if it is a separate database.
                let isApart = try await access?.locate(from: connection) ?? false
                try await checkEncoding(on: connection)
                try await Migrator.checkRoles(
                    roles.filter { $0 == DatabaseRole.worker || isApart && $0 == DatabaseRole.api }, on: connection)
            }
            return try await inspect(isThorough: true)
        }
    }

    func run() async throws {
        // Everything here only reads, so a shutdown cancels all waits for connections and results.
        try await cancelWhenGracefulShutdown {
            try await waitForDatabase()
            let (requests, searches) = (WakeSignal(), WakeSignal())
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [contract] in
                    for await _ in contract.inspectionRequests { requests.signal() }
                }
                group.addTask { await repeatRowSearches(searches) }
                await repeatInspections(requests, searches)
                group.cancelAll()
            }
        }
    }

    private func waitForDatabase() async throws {
        var unmigratedSince: ContinuousClock.Instant?
        var backoff = Backoff(cap: .seconds(5))
        while !contract.hasBeenReached, !Task.isCancelled {
            do {
                try await checkFirst()
                logger.report(DaemonEvent.databaseReachable)
            } catch _ where Task.isCancelled {
                return
            } catch let error as PostgresError where error.isTransient {
                unmigratedSince = nil
                try? await Task.sleep(for: backoff.next())
            } catch let fault as ConfigurationFault where fault.mayPass {
                if unmigratedSince == nil { logger.report(DaemonEvent.schemaMissing, [.error: fault]) }
                let since = unmigratedSince ?? .now
                guard since.duration(to: .now) < Self.migrationTime else { throw fault }
                unmigratedSince = since
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    // MARK: The directory's schema

    /// Inspects the directory for a request that reports its state, unless the last inspection is recent.
    func refresh() async {
        guard contract.hasBeenReached, contract.isOlder(than: Self.interval) else { return }
        _ = try? await inspections.run(timeout: Self.timeout) { await inspectAndRecord(isThorough: false) }
    }

    private func repeatInspections(_ requests: WakeSignal, _ searches: WakeSignal) async {
        while true {
            let isRequested = await requests.wait(for: contract.isSound ? Self.soundInterval : Self.interval)
            guard !Task.isCancelled else { return }
            let isNews = await nextInspection(isThorough: isRequested || !contract.isSound)
            guard isRequested || isNews || contract.hasWrongRows else { continue }
            searches.signal()
            try? await Task.sleep(for: Self.requestInterval)
        }
    }

    /// Waits for an inspection that begins after this call. Another call may start it; if this call is thorough, the inspection is too.
    ///
    /// - Returns: whether it found other faults than the contract had.
    private func nextInspection(isThorough: Bool) async -> Bool {
        let call = ContinuousClock.now
        while !Task.isCancelled {
            let completed = try? await inspections.run(timeout: Self.timeout) {
                await inspectAndRecord(isThorough: isThorough)
            }
            if let completed, completed.begun >= call, completed.isThorough || !isThorough { return completed.isNews }
        }
        return false
    }

    private func inspectAndRecord(isThorough isRequested: Bool) async -> Completed {
        // Only `EXPLAIN` shows that a fault is corrected that only `EXPLAIN` has found.
        let isThorough = isRequested || !contract.isSound
        let begun = ContinuousClock.now
        var isNews = false
        do {
            let report = try await inspect(isThorough: isThorough)
            log(report)
            isNews = report.isNews
        } catch let error as PostgresError where error.isForWantOfConnection {
            logger.report(DaemonEvent.directoryNotChecked, [.error: error])
            contract.wasNotInspected()
        } catch {
            if contract.status != .unreachable {
                logger.report(DaemonEvent.databaseUnreachable, [.error: error])
            }
            contract.unreachable()
        }
        return Completed(begun: begun, isThorough: isThorough, isNews: isNews)
    }

    /// - Parameter isThorough: whether every statement is explained. If not, only the catalogue is read.
    private func inspect(isThorough: Bool) async throws -> Report {
        var report = Report()
        for (pool, reading) in readings(isThorough: isThorough) {
            report.directory.add(try await pool.withConnection { try await DirectoryInspection.inspect(reading, on: $0) })
        }
        report.isNews = contract.found(report.directory)
        report.schema = try await jobs.withConnection { [roles] connection in
            try await connection.withTransaction(readOnly: true) { try await SchemaGrants.faults(roles: roles, on: $0) }
        }
        if contract.found(schema: report.schema) {
            for fault in report.schema { logger.report(DaemonEvent.privilegeMissing, [.fault: fault]) }
        }
        return report
    }

    /// How the directory is read: from which pool, under which role, by which statements.
    ///
    /// A process that only serves also reads the catalogue for the workers' role: callers ask it about exports.
    private func readings(isThorough: Bool) -> [(pool: PostgresPool, reading: DirectoryInspection.Reading)] {
        let isServing = roles.contains(DatabaseRole.api)
        let permission = DirectoryInspection.Reading(
            role: DatabaseRole.api, reader: .permission, isExplained: isThorough && isServing,
            statements: { [access] keys in ServiceStatements.permission(keys, isApart: access?.isKnownApart ?? false) })
        let snapshot = DirectoryInspection.Reading(
            role: DatabaseRole.worker, reader: .snapshot, isExplained: isThorough && isWorking, attributes: attributes,
            statements: { [attributes] keys in ServiceStatements.snapshot(keys, attributes) })
        return (isServing ? [(access?.pool ?? jobs, permission)] : []) + [(directory, snapshot)]
    }

    private func log(_ report: Report) {
        guard report.isNews else { return }
        log(report.directory.faults)
        for note in report.directory.notes { logger.report(DaemonEvent.directoryNote, [.note: note]) }
        if report.directory.faults.isEmpty { logger.report(DaemonEvent.directorySound) }
    }

    private func log(_ faults: [ContractFault]) {
        for fault in faults { logger.report(DaemonEvent.directoryFault, [.fault: fault]) }
    }

    // MARK: The directory's rows

    /// Searches the rows at once, and at each signal while none is known to be wrong, but not more often than the interval.
    private func repeatRowSearches(_ signal: WakeSignal) async {
        while !Task.isCancelled {
            await searchRows()
            try? await Task.sleep(for: Self.rowSearchInterval)
            guard !contract.hasWrongRows else { continue }
            await signal.wait(for: .seconds(86_400))
        }
    }

    /// Takes only a spare connection: where the login has few, exports and leases need them more.
    private func searchRows() async {
        let pool = poolOfRows
        guard let found = try? await pool.withSpareConnection({ try await wrongRows(on: $0) }) else { return }
        // Inspections need one connection. This one is needed once a minute at most.
        pool.closeIdle()
        if contract.found(rows: found.faults) { log(found.faults) }
    }

    /// Searches the rows of the directory for faults that the catalogue does not show.
    func wrongRows() async throws -> WrongRows.Found {
        try await poolOfRows.withConnection { try await wrongRows(on: $0) }
    }

    private func wrongRows(on connection: PostgresConnection) async throws -> WrongRows.Found {
        try await WrongRows.find(
            as: isWorking ? DatabaseRole.worker : DatabaseRole.api, reading: isWorking ? .snapshot : .permission,
            on: connection)
    }

    private var isWorking: Bool { roles.contains(DatabaseRole.worker) }

    private var isNamedApart: Bool { directory.options.connectionString != jobs.options.connectionString }

    /// In a process that only serves, the login at `directory.url` may lack the privileges that the login at `database.url` has.
    private var poolOfRows: PostgresPool {
        isWorking || !isNamedApart || access?.isKnownApart == true ? directory : jobs
    }
}
