internal import Directory
internal import Exports
internal import Logging
internal import Postgres
internal import ServiceLifecycle

/// Holds the databases to what this process needs: at start, and again and again.
///
/// A database that is away is waited for. One without our schema or roles is a ``ConfigurationFault``, which ends the process. A
/// directory that does not hold to its contract ends nothing: ``DirectoryContract`` knows it, and so do health and exports, until it
/// is put right.
struct DatabaseGate: Service {
    let jobs: PostgresPool
    /// For looks alone, which do not wait for exports.
    let directory: PostgresPool
    let contract: DirectoryContract
    /// How callers' questions reach the directory; nil where none are served.
    let access: DirectoryDatabase?
    let roles: [String]
    let logger: Logger
    /// One look at a time: none ends later than one that began after it, and takes back what that has shown.
    private let looks = SingleFlight<Looked>()

    /// One attempt, for the start of the process.
    ///
    /// - Returns: false where a database cannot be reached now.
    func tryOnce() async throws -> Bool {
        do {
            tell(try await check())
            return true
        } catch let error as PostgresError where error.isTransient {
            logger.report(DaemonEvent.databaseUnreachable, [.error: error])
            return false
        }
    }

    /// How long after the start a database that has come back may be without the schema: it is migrated then, in all likelihood.
    private static let migration: Duration = .seconds(60)

    func run() async throws {
        // All of it only reads, so a stop waits neither for a connection nor for an answer.
        try await cancelWhenGracefulShutdown {
            try await reach()
            await watch()
        }
    }

    private func reach() async throws {
        var unmigrated: ContinuousClock.Instant?
        var backoff = Backoff(cap: .seconds(5))
        while !contract.hasBeenReached, !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                tell(try await check())
                logger.report(DaemonEvent.databaseReachable)
            } catch _ where Task.isCancelled {
                return
            } catch let error as PostgresError where error.isTransient {
                unmigrated = nil
                await pause(backoff.next())
            } catch let fault as ConfigurationFault where fault.mayPass {
                if unmigrated == nil { logger.report(DaemonEvent.schemaMissing, [.error: fault]) }
                let since = unmigrated ?? .now
                guard since.duration(to: .now) < Self.migration else { throw fault }
                unmigrated = since
                await pause(.seconds(1))
            }
        }
    }

    private func pause(_ time: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: time) }
    }

    /// - Returns: what the directory is like; the contract knows it now.
    /// - Throws: ``ConfigurationFault`` for what somebody has to change before anything can run; a transient ``PostgresError``.
    func check() async throws -> Look {
        try await Self.check(jobs, roles: roles)
        var look = Look()
        try await Self.translating(isNamedApart ? .directory : .jobs) {
            try await directory.withConnection { [roles, access] connection in
                // Callers' questions are asked there where it is a database of its own.
                let isApart = try await access?.locate(from: connection) ?? false
                try await Migrator.checkRoles(
                    roles.filter { $0 == DatabaseRole.worker || isApart && $0 == DatabaseRole.api }, on: connection)
            }
            look = try await self.look(isThorough: true)
        }
        return look
    }

    // MARK: The directory

    struct Look {
        var inspection = DirectoryInspection()
        /// What the roles lack in the schema with the jobs.
        var schema: [ContractFault] = []
        /// Whether the contract did not know it.
        var isNews = false
    }

    /// The ways in which the directory is read: from which pool, under which role and by which statements.
    ///
    /// Whoever serves also says what is wrong for those who make exports, as far as the catalogue knows: callers ask the one about
    /// the other.
    private func readings(isThorough: Bool) -> [(pool: PostgresPool, reading: DirectoryInspection.Reading)] {
        let isServing = roles.contains(DatabaseRole.api)
        let permission = DirectoryInspection.Reading(
            role: DatabaseRole.api, reader: .permission, isExplained: isThorough && isServing,
            statements: { [access] keys in ServiceStatements.permission(keys, isApart: access?.isKnownApart ?? false) })
        let snapshot = DirectoryInspection.Reading(
            role: DatabaseRole.worker, reader: .snapshot, isExplained: isThorough && isWorking,
            statements: ServiceStatements.snapshot)
        return (isServing ? [(access?.pool ?? jobs, permission)] : []) + [(directory, snapshot)]
    }

    /// - Parameter isThorough: has every statement explained; else the catalogue alone is asked.
    private func look(isThorough: Bool) async throws -> Look {
        var look = Look()
        for (pool, reading) in readings(isThorough: isThorough) {
            look.inspection.add(
                try await pool.withConnection { try await DirectoryInspection.inspect(reading, on: $0) })
        }
        look.isNews = contract.found(look.inspection)
        let lacking = try await jobs.withConnection { [roles] connection in
            try await connection.withTransaction(readOnly: true) { try await SchemaGrants.faults(roles: roles, on: $0) }
        }
        look.schema = lacking
        if contract.found(schema: lacking) {
            for fault in lacking { logger.report(DaemonEvent.privilegeMissing, [.fault: fault]) }
        }
        return look
    }

    /// How often a directory with a fault is looked at, and how old a look may be that health goes by.
    private static let interval: Duration = .seconds(5)
    /// How often one without a fault is: whoever meets a refusal, or asks for health, has it looked at before that.
    private static let soundInterval: Duration = .seconds(60)
    /// Refused callers may be many: for all of them one look in this time.
    private static let pauseAfterRequest: Duration = .seconds(1)
    /// To look for doubled rows is to read them all.
    private static let doubledInterval: Duration = .seconds(60)

    private struct Looked {
        let begun: ContinuousClock.Instant
        let isThorough: Bool
        /// Whether it has shown something else than was known.
        let isNews: Bool
    }

    /// Looks at the directory again unless that was done in the last seconds, for those who ask how it stands.
    func freshen() async {
        guard contract.hasBeenReached, contract.isOlder(than: Self.interval) else { return }
        _ = try? await looks.run(timeout: .seconds(3)) { await lookAgain(isThorough: false) }
    }

    /// Looks at the directory again every few seconds while it has a fault, now and then otherwise, and at once when a statement was
    /// refused.
    private func watch() async {
        let bell = Bell()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [contract] in
                for await _ in contract.lookRequests { bell.ring() }
            }
            let rows = Bell()
            group.addTask { await watchRows(rows) }
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let isAsked = await bell.sleep(for: contract.isSound ? Self.soundInterval : Self.interval)
                guard !Task.isShuttingDownGracefully, !Task.isCancelled else { break }
                let isNews = await lookInTurn(isThorough: isAsked || !contract.isSound)
                guard isAsked || isNews || contract.hasWrongRows else { continue }
                rows.ring()
                await pause(Self.pauseAfterRequest)
            }
            group.cancelAll()
        }
    }

    /// Searches for wrong rows beside the looks, which do not wait for it: at once, and when it is rung, but not too often.
    private func watchRows(_ bell: Bell) async {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            await lookForWrongRows()
            await pause(Self.doubledInterval)
            guard !contract.hasWrongRows else { continue }
            await bell.sleep(for: .seconds(86_400))
        }
    }

    /// Looks when the look that is under way has ended. That one is as good if it was asked for by somebody else since.
    ///
    /// - Returns: whether it has shown something else than was known.
    private func lookInTurn(isThorough: Bool) async -> Bool {
        let asked = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let looked = try? await looks.run(timeout: .seconds(3)) { await lookAgain(isThorough: isThorough) }
            if let looked, looked.begun >= asked, looked.isThorough || !isThorough { return looked.isNews }
        }
        return false
    }

    /// - Parameter isThorough: a directory with a fault is looked at thoroughly in any case: the catalogue alone does not show that
    ///   what `EXPLAIN` has found is put right.
    private func lookAgain(isThorough isAsked: Bool) async -> Looked {
        let isThorough = isAsked || !contract.isSound
        let begun = ContinuousClock.now
        return Looked(begun: begun, isThorough: isThorough, isNews: await isNews(isThorough: isThorough))
    }

    private func isNews(isThorough: Bool) async -> Bool {
        do {
            let look = try await look(isThorough: isThorough)
            tell(look)
            return look.isNews
        } catch {
            guard !Task.isCancelled, !(error is CancellationError) else { return false }
            guard (error as? PostgresError)?.isForWantOfConnection != true else {
                logger.report(DaemonEvent.directoryNotChecked, [.error: error])
                contract.wasNotSeen()
                return false
            }
            if contract.status != .unreachable {
                logger.report(DaemonEvent.databaseUnreachable, [.error: error])
            }
            contract.unreachable()
            return false
        }
    }

    private func tell(_ look: Look) {
        guard look.isNews else { return }
        for fault in look.inspection.faults { logger.report(DaemonEvent.directoryFault, [.fault: fault]) }
        for note in look.inspection.notes { logger.report(DaemonEvent.directoryNote, [.note: note]) }
        if look.inspection.faults.isEmpty { logger.report(DaemonEvent.directorySound) }
    }

    /// Searches the rows of the directory for faults that the catalogue does not show.
    func wrongRows() async throws -> WrongRows.Found {
        try await poolOfRows.withConnection { try await findWrongRows(on: $0) }
    }

    private var isWorking: Bool { roles.contains(DatabaseRole.worker) }

    /// Whoever serves only may have a login at `directory.url` that may not do there what it may at `database.url`.
    private var poolOfRows: PostgresPool {
        isWorking || !isNamedApart || access?.isKnownApart == true ? directory : jobs
    }

    private var isNamedApart: Bool { directory.options.connectionString != jobs.options.connectionString }

    private func findWrongRows(on connection: PostgresConnection) async throws -> WrongRows.Found {
        try await WrongRows.find(
            as: isWorking ? DatabaseRole.worker : DatabaseRole.api, reading: isWorking ? .snapshot : .permission,
            on: connection)
    }

    /// With a connection that nobody waits for: where the login has few, exports and leases need them more.
    private func lookForWrongRows() async {
        let pool = poolOfRows
        guard let found = try? await pool.withSpareConnection({ try await findWrongRows(on: $0) }) else { return }
        // A second one is needed once a minute at most.
        pool.closeIdle()
        guard contract.found(rows: found.faults) else { return }
        for fault in found.faults { logger.report(DaemonEvent.directoryFault, [.fault: fault]) }
    }

    /// A login or a database that is not there (SQLSTATE 28000, 3D000): a migration makes the first, somebody the other.
    private static let notThereYet: Set<String> = ["28000", "3D000"]

    /// The part about the job table.
    static func check(_ jobs: PostgresPool, roles: [String]) async throws {
        try await translating {
            try await jobs.withConnection { connection in
                try await Self.inspect(connection, roles: roles)
            }
        }
    }

    /// - Parameter database: which is asked, for the words of a fault.
    private static func translating(
        _ database: ServiceConfiguration.Database = .jobs, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as SchemaError {
            throw ConfigurationFault(
                database == .jobs ? "\(error)" : Self.sentence(error), mayPass: error.isOfAMigration,
                isAboutRole: error.isAboutRole)
        } catch let error as PostgresError where !error.isTransient {
            throw ConfigurationFault(
                Self.sentence(error, database), mayPass: error.sqlState.map(Self.notThereYet.contains) ?? false)
        }
    }

    private static func inspect(_ connection: PostgresConnection, roles: [String]) async throws {
        try await Migrator.checkRoles(roles, on: connection)
        try await connection.withTransaction(readOnly: true, role: roles.first) { connection in
            try await Migrator.check(on: connection)
        }
    }

    /// For a login, a database or a server whose connections are used up.
    static let connectionsHint =
        "Its connections are used up, by a running service perhaps: stop what uses them, or allow more with ALTER ROLE … CONNECTION "
        + "LIMIT, ALTER DATABASE … CONNECTION LIMIT or max_connections"

    /// What the error means where the database is the directory's own.
    private static func sentence(_ error: SchemaError) -> String {
        if case .missing = error {
            return
                "directory.url leads to a server without the service's roles: run adminexportd migrate --grant-directory with "
                + "--api-login and --worker-login, and a directory.url whose login may create roles"
        }
        return "directory.url: \(error)"
    }

    /// What to do about it.
    static func hint(_ error: PostgresError, _ database: ServiceConfiguration.Database = .jobs) -> String {
        let key = database == .directory ? "directory.url" : "database.url"
        return switch error.sqlState {
        case "3D000": ". Create it, or name another in \(key)"
        case "28000":
            ". The login is that of the system's user where \(key) names none; adminexportd migrate creates it with "
                + "--api-login and --worker-login, as adminexport-migrate.service does"
        case "28P01":
            ". Check the password: the credential \(database == .directory ? "directory-password" : "database-password"), or \(key)"
        default: ""
        }
    }

    /// What PostgreSQL said when it refused the connection names users and databases, which the operator needs.
    private static func sentence(_ error: PostgresError, _ database: ServiceConfiguration.Database) -> String {
        let name = database == .directory ? "the directory's database" : "the database"
        return switch error.code {
        case .refused, .invalidConnectionString:
            "\(name) refused the connection: \(error.message)\(hint(error, database))"
        case .unsuitable: "\(name) cannot be used: \(error.message)"
        default: "\(name) cannot be used: \(error.debugDescription)"
        }
    }
}
