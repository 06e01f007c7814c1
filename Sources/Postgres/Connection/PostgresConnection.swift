private import Synchronization

/// One connection, on a thread of its own.
///
/// Calls run one after another. If a task is cancelled while a statement runs, or a statement exceeds its timeout, the server
/// is asked to cancel it. A connection that was lost, or whose server does not answer a cancel request, is broken for good: the
/// pool replaces it.
package actor PostgresConnection {
    private let executor: ThreadExecutor
    private let handle: PGHandle
    private let statementTimeout: Duration?
    private let cancelGrace: Duration
    /// `SET LOCAL` for the settings that statements depend on. Behind a pooler each transaction begins with it.
    private var transactionSettings = ""
    private let canceller: Canceller
    private var isBroken = false
    private var isCopying = false
    /// The BEGIN of the current transaction, until it is sent.
    private var pendingBegin: String?
    /// Whether the current transaction was committed together with its last statements.
    private var isCommitted = false
    private(set) var session = SessionState()

    /// The executor that runs the connection's work on its own thread.
    // SAFETY: the actor keeps the executor.
    /// The thread of this connection.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Connects on the connection's own thread.
    ///
    /// - Throws: ``PostgresError``
    package static func connect(_ options: ConnectionOptions) async throws -> PostgresConnection {
        try await Opener(executor: ThreadExecutor(label: "postgres")).open(options)
    }

    /// Runs the blocking work of connecting on the connection's thread.
    private actor Opener {
        private let executor: ThreadExecutor
        // SAFETY: the actor keeps the executor.
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

        init(executor: ThreadExecutor) {
            self.executor = executor
        }

        func open(_ options: ConnectionOptions) async throws -> PostgresConnection {
            let connection = try PostgresConnection(options, executor: executor)
            try await connection.prepare(options)
            return connection
        }
    }

    private init(_ options: ConnectionOptions, executor: ThreadExecutor) throws {
        self.executor = executor
        statementTimeout = options.statementTimeout
        cancelGrace = options.cancelGrace
        handle = try PGHandle.connect(options)
        canceller = Canceller(handle.cancelRequest())
    }

    private func prepare(_ options: ConnectionOptions) throws {
        let version = handle.serverVersion
        guard version >= Self.oldestServer else {
            throw PostgresError(
                .unsuitable,
                "the server is PostgreSQL \(version), but adminexport needs \(Self.oldestServer) or later: upgrade it")
        }
        // The bytes of an SQL_ASCII database have no known encoding. If the client asked for UTF-8, the server would refuse
        // each row with a byte that is not valid; without conversion the rows can be read, and invalid bytes replaced, here.
        let isBytes = handle.serverEncoding == "SQL_ASCII"
        let rows = try runScript("inspect-session", SessionSettings.inspection(options, version: version))
        var found: [String: SessionSettings.Found] = [:]
        for row in rows {
            found[try row.decode("name")] = .init(
                value: try row.decode("value"), maySet: try row.decode("may_set", as: String.self) == "true")
        }
        let settings = try SessionSettings(options, encoding: isBytes ? "SQL_ASCII" : "UTF8", found: found)
        transactionSettings = settings.transaction
        let process: String? = try rows.first?.decode("process")
        session.isDedicated = options.keepsSession && process.flatMap { Int($0) } == handle.serverProcess
        if session.isDedicated { try runScript("session-settings", settings.session) }
    }

    /// The oldest major version whose settings and functions are known to be sufficient.
    private static let oldestServer = 15

    /// After this time a new connection replaces the session, with what it keeps: roles, and what the server caches.
    private static let maxSessionAge: Duration = .seconds(3_600)

    /// Whether the pool may lend the connection again.
    package var isUsable: Bool {
        !isBroken && !isCopying && session.began.duration(to: .now) < Self.maxSessionAge
            && handle.isIdle && handle.isOpen && !handle.hasUnreadInput
    }

    /// Runs the body on the connection's own thread, if the connection can be used.
    ///
    /// - Returns: the body's result, or nil if the connection cannot be used; and whether it can be used again.
    func lend<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async -> (result: Swift.Result<Result, any Error>?, isUsable: Bool) {
        guard isUsable else { return (nil, false) }
        do {
            let result = try await body(self)
            return (.success(result), isUsable)
        } catch {
            return (.failure(error), isUsable)
        }
    }

    // MARK: Statements

    /// Runs one statement, in the current transaction if there is one, and returns its rows.
    ///
    /// - Throws: ``PostgresError``, or `CancellationError` if the task was cancelled.
    @discardableResult
    package func query(_ query: Query) async throws -> [Row] {
        try await withCancellation { connection in
            if case .free = connection.session.use {
                guard connection.session.isDedicated else { return try connection.runAlone(query) }
                try connection.setRole(nil)
            }
            return try connection.run(query)
        }
    }

    /// Runs one statement behind a pooler. It too needs a transaction, for the settings that it depends on.
    private func runAlone(_ query: Query) throws -> [Row] {
        do {
            try runScript("begin", "BEGIN ISOLATION LEVEL READ COMMITTED" + transactionSettings)
            let rows = try run(query)
            try runScript("commit", "COMMIT")
            return rows
        } catch {
            rollBack()
            throw error
        }
    }

    /// Lets the body run a statement that is a transaction of its own. If the body runs a second one, for example to find out
    /// why the first one failed, that is another transaction.
    ///
    /// Without a pooler the statement takes one message in each direction: the role remains the session's, and the statement is
    /// prepared once. Behind a pooler it runs in a transaction like any other.
    package func withStatement<Result: Sendable>(
        role: String, _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        guard session.isDedicated else { return try await withTransaction(role: role, body) }
        try await withCancellation { try $0.setRole(role) }
        session.use = .statement
        defer { session.use = .free }
        return try await body(self)
    }

    /// Runs statements that contain no values, several at once.
    package func script(_ name: String, _ sql: String) async throws {
        try await withCancellation { connection in
            if case .free = connection.session.use { try connection.setRole(nil) }
            try connection.beginNow()
            try connection.runScript(name, sql)
        }
    }

    /// Runs a statement in the current transaction, and fills the buffer with its rows as a binary COPY would.
    ///
    /// For small results: all rows are in memory twice. The server plans a COPY each time; this statement is prepared.
    ///
    /// - Returns: false if there are more rows than the limit; the buffer is empty then.
    package func rows(of query: Query, atMost limit: Int, into buffer: CopyBuffer) async throws -> Bool {
        try await withCancellation { connection in
            buffer.removeAll()
            return try connection.run(query) { BufferedQuery(query, atMost: limit, into: buffer).fill(from: $0) } ?? false
        }
    }

    /// A statement whose rows go into a buffer.
    package struct BufferedQuery: Sendable {
        let query: Query
        let limit: Int
        let buffer: CopyBuffer

        /// A statement, the maximum number of its rows, and the buffer for them.
        package init(_ query: Query, atMost limit: Int, into buffer: CopyBuffer) {
            self.query = query
            self.limit = limit
            self.buffer = buffer
        }

        fileprivate func fill(from result: borrowing PGResult) -> Bool {
            guard result.rowCount <= limit else { return false }
            result.copy(into: buffer)
            return true
        }
    }

    /// Runs several statements of the current transaction, and fills the buffer of each as ``rows(of:atMost:into:)`` does. If all can be
    /// prepared, they are sent in one pipeline. No parameter may depend on the result of another statement.
    ///
    /// - Returns: for each statement, whether its rows are in its buffer; false if there are more than its limit, or it gives none.
    /// - Throws: the error of the first statement that fails. Those after it have not run.
    package func rows(of queries: [BufferedQuery]) async throws -> [Bool] {
        try await withCancellation { connection in
            for query in queries { query.buffer.removeAll() }
            return try connection.runAll(queries.map(\.query)) { queries[$0].fill(from: $1) }.map { $0 ?? false }
        }
    }

    /// Runs several statements of the current transaction, or of ``withStatement(role:_:)``. If all can be prepared, they are sent in one
    /// pipeline, which is one transaction in ``withStatement(role:_:)``. Otherwise, in a dedicated session, each statement is a transaction
    /// of its own there. No parameter may depend on the result of another statement.
    ///
    /// - Returns: the rows of each statement.
    /// - Throws: the error of the first statement that fails. Those after it have not run.
    package func query(all queries: [Query]) async throws -> [[Row]] {
        try await withCancellation { connection in
            try connection.runAll(queries) { $1.rows(query: queries[$0].name) }.map { $0 ?? [] }
        }
    }

    /// Whether ``query(last:)`` can run these statements: whether the session has no pooler and can prepare them. Prepares them.
    package func canCommit(with queries: [Query]) async throws -> Bool {
        try await withCancellation { try $0.statementNames(of: queries + [Self.commit]) != nil }
    }

    /// Runs the last statements of a transaction, and COMMIT with them in one pipeline, so the time for which they hold locks does not
    /// depend on this process. The body must run no statement after them.
    ///
    /// - Parameter queries: statements that ``canCommit(with:)`` has accepted.
    /// - Returns: the rows of each statement.
    package func query(last queries: [Query]) async throws -> [[Row]] {
        try await withCancellation { connection in
            precondition(connection.session.use == .transaction, "query(last:) requires a transaction")
            let all = queries + [Self.commit]
            let rows = try connection.runAll(all) { $1.rows(query: all[$0].name) }
            connection.isCommitted = true
            return rows.prefix(queries.count).map { $0 ?? [] }
        }
    }

    private static let commit = Query("commit", "COMMIT")

    /// - Parameter body: reads the rows of the statement at this index.
    private func runAll<Value>(_ queries: [Query], _ body: (Int, borrowing PGResult) -> Value) throws -> [Value?] {
        let begin = pendingBegin.map { [Query("begin", $0)] } ?? []
        guard let names = try statementNames(of: begin + queries) else {
            try beginNow()
            return try queries.indices.map { index in try run(queries[index]) { body(index, $0) } }
        }
        for query in queries { try query.checkTexts() }
        try Task.checkCancellation()
        pendingBegin = nil
        return Array(try runPipeline(begin + queries, as: names) { body($0 - begin.count, $1) }.dropFirst(begin.count))
    }

    /// Sends BEGIN alone if it has not been sent; see ``withTransaction(isolation:readOnly:role:snapshot:_:)``.
    private func beginNow() throws {
        guard let begin = pendingBegin else { return }
        pendingBegin = nil
        try runScript("begin", begin)
    }

    /// - Returns: nil if the session may be a pooler's, or has enough prepared statements.
    private func statementNames(of queries: [Query]) throws -> [String]? {
        guard session.isDedicated else { return nil }
        var names: [String] = []
        for query in queries {
            guard let name = try prepared(query) else { return nil }
            names.append(name)
        }
        return names
    }

    private func runPipeline<Value>(
        _ queries: [Query], as names: [String], _ body: (Int, borrowing PGResult) -> Value
    ) throws -> [Value?] {
        guard !isCopying else {
            throw PostgresError(.unexpectedResult, "a COPY is running", query: queries.first?.name)
        }
        try Task.checkCancellation()
        guard !isBroken, handle.setPipelineMode(true) else { throw broken(during: "pipeline") }
        var hasEnded = false
        defer { if !hasEnded { isBroken = true } }
        for (query, name) in zip(queries, names) { try send(query, as: name) }
        guard handle.sendSync() else { throw broken(during: "pipeline") }
        var values: [Value?] = []
        var fault: PostgresError?
        for (index, query) in queries.enumerated() {
            do {
                values.append(try finish(query.name) { body(index, $0) })
            } catch let error as PostgresError {
                fault = fault ?? error
                if isBroken { throw fault ?? error }
            }
        }
        do {
            // The implicit commit of statements without BEGIN may fail: then its error comes before the end of the pipeline.
            var isSynced = false
            for _ in 0..<3 where !isSynced {
                while let result = try nextResult(of: "pipeline", deadline: deadline()) {
                    switch result.kind {
                    case .sync: isSynced = true
                    case .error: fault = fault ?? result.fault(query: queries.last?.name ?? "pipeline")
                    case .rows, .done, .skipped, .copyOut: break
                    }
                }
            }
        } catch {
            throw fault ?? error
        }
        // Fails if results are still unread.
        hasEnded = handle.setPipelineMode(false)
        guard hasEnded else { throw fault ?? broken(during: "pipeline") }
        if let fault { throw judged(fault, isPrepared: true) }
        return values
    }

    /// Sets the role for the session; nil: the login's own.
    private func setRole(_ role: String?) throws {
        guard session.isDedicated, session.role != role else { return }
        try runScript("assume-role", role.map { "SET ROLE \($0)" } ?? "RESET ROLE")
        session.role = role
    }

    /// Runs a statement in the session as it is, without setting a role.
    func run(_ query: Query) throws -> [Row] {
        try run(query) { $0.rows(query: query.name) } ?? []
    }

    /// - Parameter body: reads the result with rows.
    private func run<Value>(_ query: Query, _ body: (borrowing PGResult) -> Value) throws -> Value? {
        if pendingBegin != nil { return try runAll([query]) { body($1) }[0] }
        guard !isCopying else { throw PostgresError(.unexpectedResult, "a COPY is running", query: query.name) }
        let statement = session.isDedicated ? try prepared(query) : nil
        // A cancel request between the two messages has found the server idle.
        try Task.checkCancellation()
        try send(query, as: statement)
        do {
            return try finish(query.name, body)
        } catch let error as PostgresError where session.isDedicated {
            throw judged(error, isPrepared: statement != nil)
        }
    }

    /// Returns the error to throw for a failed statement. Marks the connection as broken if its prepared statements or its role may be
    /// invalid.
    private func judged(_ error: PostgresError, isPrepared: Bool) -> PostgresError {
        if isPrepared, SQLState.stalePlans.contains(error.sqlState ?? "") {
            // A relation was altered ("cached plan must not change result type"), or somebody else has used the session. The next
            // connection prepares the statement again.
            isBroken = true
            return PostgresError(
                .connectionLost, "a prepared statement is no longer valid", serverMessage: error.serverMessage,
                query: error.query)
        }
        // The role may have been revoked, or dropped and created again. The next connection sets it again.
        if error.sqlState == SQLState.insufficientPrivilege { isBroken = true }
        return error
    }

    /// Prepares the statement at its first use.
    ///
    /// - Returns: its name; nil if the session has enough prepared statements.
    private func prepared(_ query: Query) throws -> String? {
        if session.statements.arePlansOld(at: .now) {
            // Also between two statements of a transaction.
            try runScript("discard-plans", "DISCARD PLANS")
            session.statements.renewPlans(at: .now)
        }
        if let name = session.statements.name(of: query.sql) { return name }
        guard let name = session.statements.newName() else { return nil }
        guard !isBroken, handle.sendPrepare(name, query.sql) else { throw broken(during: query.name) }
        try finish(query.name) { _ in }
        session.statements.keep(name, for: query.sql, at: .now)
        return name
    }

    /// - Returns: the rows of the last statement that gives some, as text.
    @discardableResult
    private func runScript(_ name: String, _ sql: String) throws -> [Row] {
        guard handle.send(script: sql) else { throw broken(during: name) }
        return try finish(name) { $0.rows(query: name) } ?? []
    }

    private func send(_ query: Query, as statement: String? = nil) throws {
        guard !isBroken else { throw broken(during: query.name) }
        try query.checkTexts()
        guard handle.send(query, as: statement) else {
            isBroken = !handle.isOpen
            throw handle.lost(during: query.name)
        }
    }

    private func broken(during name: String) -> PostgresError {
        isBroken = true
        return handle.lost(during: name)
    }

    // MARK: Results

    private func deadline() -> ContinuousClock.Instant? {
        // The server's own timeout comes first. This one is for a server or a network that went silent.
        statementTimeout.map { ContinuousClock.now + $0 + cancelGrace }
    }

    /// Reads the results of one statement, or of a script.
    ///
    /// - Parameter body: reads a result with rows.
    /// - Returns: the body's value for the last result with rows.
    /// - Throws: the first error of the server.
    @discardableResult
    private func finish<Value>(_ name: String, _ body: (borrowing PGResult) -> Value) throws -> Value? {
        let deadline = deadline()
        var value: Value?
        var fault: PostgresError?
        while let result = try nextResult(of: name, deadline: deadline) {
            switch result.kind {
            case .rows: value = body(result)
            case .done, .sync, .skipped: break
            case .copyOut, .error: fault = fault ?? result.fault(query: name)
            }
        }
        if !handle.isOpen { isBroken = true }
        if let fault { throw fault }
        return value
    }

    private func nextResult(of name: String, deadline: ContinuousClock.Instant?) throws -> PGResult? {
        while handle.isBusy { try waitForInput(of: name, deadline: deadline) }
        return handle.nextResult()
    }

    /// Waits for bytes from the server. At the deadline the statement is cancelled. If the server does not answer even then, the
    /// connection is broken.
    private func waitForInput(of name: String, deadline: ContinuousClock.Instant?) throws {
        if !PGHandle.poll(handle.socket, until: deadline) {
            canceller.cancel()
            guard PGHandle.poll(handle.socket, until: ContinuousClock.now + cancelGrace) else {
                isBroken = true
                throw PostgresError(.timedOut, "PostgreSQL did not answer in time", query: name)
            }
        }
        guard handle.consumeInput() else { throw broken(during: name) }
    }

    private func drain(_ name: String) throws {
        while let result = try nextResult(of: name, deadline: deadline()) { _ = consume result }
    }

    /// Runs blocking work. If the task is cancelled meanwhile, the server is asked to cancel the statement.
    private func withCancellation<Result>(
        _ work: (isolated PostgresConnection) throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let ticket = canceller.arm()
        return try await withTaskCancellationHandler {
            defer {
                if !canceller.disarm(within: cancelGrace) { isBroken = true }
            }
            do {
                return try work(self)
            } catch let error as PostgresError where error.sqlState == SQLState.queryCanceled && Task.isCancelled {
                throw CancellationError()
            }
        } onCancel: {
            canceller.cancel(ticket)
        }
    }

    // MARK: Transactions

    /// The isolation level of a transaction, as in BEGIN.
    package enum IsolationLevel: String, Sendable {
        /// Each statement sees what was committed before it started.
        case readCommitted = "READ COMMITTED"
        /// All statements see one snapshot.
        case repeatableRead = "REPEATABLE READ"
    }

    /// Runs the body in a transaction: commits when it returns, rolls back when it throws. The body's error is rethrown
    /// unchanged.
    ///
    /// In a dedicated session, BEGIN is sent in a pipeline with the body's first statement, to save a round trip, if that statement is
    /// prepared and no snapshot is imported.
    ///
    /// - Parameters:
    ///   - role: set with `SET LOCAL ROLE`, so that the transaction has the role's privileges and no others, also behind a
    ///     pooler. A name from the program, never data.
    ///   - snapshot: of another running transaction, to see what it sees; see ``exportSnapshot()``.
    package func withTransaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false, role: String? = nil, snapshot: SnapshotID? = nil,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        // A dedicated session's default is READ WRITE, or READ ONLY on a standby, which refuses the words READ WRITE.
        let access = readOnly ? " READ ONLY" : session.isDedicated ? "" : " READ WRITE"
        var begin = "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(access)"
        if let snapshot { begin += "; SET TRANSACTION SNAPSHOT '\(snapshot.text)'" }
        if !session.isDedicated {
            // The next transaction may run on another session, and a setting for the session would remain there for others.
            begin += transactionSettings
            if let role { begin += "; SET LOCAL ROLE \(role)" }
        }
        isCommitted = false
        do {
            let isDelayed = session.isDedicated && snapshot == nil
            // A role that may not be set leaves a failed transaction behind.
            try await withCancellation { connection in
                try connection.setRole(role)
                if !isDelayed { try connection.begin(begin) }
            }
            pendingBegin = isDelayed ? begin : nil
            session.use = .transaction
            defer { session.use = .free }
            if let snapshot { try await withCancellation { try $0.checkServer(of: snapshot) } }
            let result = try await body(self)
            // A committed transaction has a result, also if the task was cancelled meanwhile.
            if !isCommitted { try await withCancellation { try $0.commit() } }
            return result
        } catch {
            rollBack()
            throw error
        }
    }

    private func begin(_ script: String) throws {
        do {
            try runScript("begin", script)
        } catch let error as PostgresError where error.sqlState == SQLState.featureNotSupported && !session.isDedicated {
            // READ WRITE on a standby, which accepts no writes until it is promoted.
            throw PostgresError(
                .statement, error.message, sqlState: SQLState.readOnlyTransaction, serverMessage: error.serverMessage,
                query: error.query)
        }
    }

    private func commit() throws {
        if hasTransaction() { try runScript("commit", "COMMIT") }
    }

    /// Whether the server has a transaction to end. Drops a BEGIN that was not sent.
    private func hasTransaction() -> Bool {
        defer { pendingBegin = nil }
        return pendingBegin == nil && !isCommitted
    }

    /// If this fails, the connection is not idle, and ``isUsable`` is false.
    private func rollBack() {
        if hasTransaction(), !isBroken { _ = try? runScript("rollback", "ROLLBACK") }
    }

    /// The name that a server gave a snapshot. It becomes part of a statement, so only characters that servers use are accepted.
    package struct SnapshotID: Sendable {
        fileprivate let text: String
        /// When the server was started, to a microsecond. Another server may have a snapshot of the same name.
        fileprivate let server: Timestamp

        init?(_ text: String, server: Timestamp) {
            self.server = server
            self.text = text
            let digits = Set("0123456789ABCDEFabcdef-".utf8)
            guard !text.isEmpty, text.utf8.allSatisfy(digits.contains) else { return nil }
        }
    }

    /// Exports what the running transaction sees. The snapshot lasts as long as the transaction.
    package func exportSnapshot() throws -> SnapshotID {
        let query = Query("export-snapshot", "SELECT pg_export_snapshot() AS id, pg_postmaster_start_time() AS started")
        guard let row = try run(query).first,
            let snapshot = SnapshotID(try row.decode("id"), server: try row.decode("started"))
        else { throw PostgresError(.unexpectedResult, "the server's snapshot has no name", query: query.name) }
        return snapshot
    }

    private func checkServer(of snapshot: SnapshotID) throws {
        let query = Query("started", "SELECT pg_postmaster_start_time() AS started")
        guard try run(query).first?.decode("started") == snapshot.server else {
            throw PostgresError(.unexpectedResult, "the connections lead to different servers", query: query.name)
        }
    }

    // MARK: Encoding

    /// Encodings of a database that contain every character except NUL.
    private static let complete: Set<String?> = ["UTF8", "SQL_ASCII"]

    /// Returns the texts that the database's encoding can hold, in their order. The others equal nothing that is stored there.
    ///
    /// The server is asked only if its encoding may lack a character. A running transaction continues.
    package func storable(_ texts: [String]) async throws -> [String] {
        let isComplete = Self.complete.contains(handle.serverEncoding)
        var storable: [String] = []
        for text in texts where !text.utf8.contains(0) {
            // Every server encoding contains ASCII.
            if isComplete || text.utf8.allSatisfy({ $0 < 128 }) {
                storable.append(text)
            } else if try await canHold(text) {
                storable.append(text)
            }
        }
        return storable
    }

    private func canHold(_ text: String) async throws -> Bool {
        let isInTransaction = session.use == .transaction
        // A statement that fails would end the transaction.
        if isInTransaction { try await script("probe", "SAVEPOINT probe") }
        do {
            try await query(Query("storable", "SELECT length($1::text) AS length", [.text(text)]))
        } catch let error as PostgresError where error.isUnstorableText {
            if isInTransaction { try await script("probe-undo", "ROLLBACK TO SAVEPOINT probe; RELEASE SAVEPOINT probe") }
            return false
        }
        if isInTransaction { try await script("probe-end", "RELEASE SAVEPOINT probe") }
        return true
    }

    // MARK: COPY

    /// Runs `COPY … TO STDOUT (FORMAT binary)` and lends its stream to the body. What the body does not read is dropped.
    ///
    /// COPY takes no parameters: values reach it through transaction-local settings, which the statement reads with
    /// `current_setting`.
    ///
    /// - Parameter bufferSize: bytes that each buffer holds at least, except the last.
    package func withCopy<Result>(
        _ query: Query, bufferSize: Int = 256 * 1024,
        _ body: @Sendable (isolated PostgresConnection, inout CopyStream) async throws -> Result
    ) async throws -> Result {
        precondition(!isCopying, "a connection runs one COPY at a time")
        precondition(query.parameters.isEmpty, "COPY takes no parameters")
        try await withCancellation { try $0.startCopy(query) }
        defer { abandonCopy() }
        var stream = CopyStream(connection: self, query: query.name, bufferSize: bufferSize)
        return try await body(self, &stream)
    }

    private func startCopy(_ query: Query) throws {
        try beginNow()
        try send(query)
        guard let result = try nextResult(of: query.name, deadline: deadline()) else {
            throw handle.lost(during: query.name)
        }
        guard result.kind == .copyOut else {
            let fault = result.fault(query: query.name)
            try drain(query.name)
            throw fault
        }
        isCopying = true
    }

    /// Reads whole messages, until the buffer holds `size` bytes or the COPY ends.
    ///
    /// - Returns: whether the COPY has ended; the buffer then ends with its trailer.
    fileprivate func copyNext(into buffer: CopyBuffer, atLeast size: Int, query: String) async throws -> Bool {
        precondition(isCopying, "no COPY is running")
        buffer.removeAll()
        return try await withCancellation { connection in
            let deadline = connection.deadline()
            while true {
                switch buffer.fill({ connection.handle.readCopy(into: &$0, atLeast: size) }) {
                case .full: return false
                case .pending: try connection.waitForInput(of: query, deadline: deadline)
                case .ended:
                    try connection.endCopy(query, deadline: deadline)
                    return true
                }
            }
        }
    }

    private func endCopy(_ query: String, deadline: ContinuousClock.Instant?) throws {
        isCopying = false
        guard let result = try nextResult(of: query, deadline: deadline) else { throw handle.lost(during: query) }
        let fault = result.kind == .done ? nil : result.fault(query: query)
        try drain(query)
        if let fault { throw fault }
    }

    /// Ends a COPY that was not read to its end.
    private func abandonCopy() {
        guard isCopying else { return }
        isCopying = false
        canceller.cancel()
        let deadline = ContinuousClock.now + cancelGrace
        reading: while !isBroken {
            var dropped: [UInt8] = []
            switch handle.readCopy(into: &dropped, atLeast: 64 * 1024) {
            case .full: continue
            case .ended: break reading
            case .pending: isBroken = !PGHandle.poll(handle.socket, until: deadline) || !handle.consumeInput()
            }
        }
        if !isBroken { _ = try? drain("copy") }
        if !canceller.disarm(within: cancelGrace) { isBroken = true }
    }

    // MARK: Notifications

    /// Listens on a channel from now on. The connection must not be used for anything else after that.
    ///
    /// - Parameter channel: a name from the program, never data.
    /// - Throws: ``PostgresError``; `unexpectedResult` behind a pooler, which may lend another session for each transaction.
    package func listen(_ channel: String) async throws {
        // A session that a pooler lent must not be left listening: nobody would read its notifications.
        let process: Int? = try run(Query("process", "SELECT pg_catalog.pg_backend_pid() AS process")).first?.decode(
            "process")
        guard process == handle.serverProcess else {
            throw PostgresError(
                .unexpectedResult,
                "LISTEN requires a session of its own, but the connection leads to a pooler; set database.listen to the server itself"
            )
        }
        try await script("listen", "LISTEN \(channel)")
    }

    /// Waits for notifications on the connection's own thread.
    ///
    /// - Returns: the payloads, each once; none if no notification came in the time.
    /// - Throws: ``PostgresError/Code/connectionLost``; `CancellationError`, after which the connection may be used again.
    package func notifications(within time: Duration) async throws -> Set<String> {
        try Task.checkCancellation()
        let interrupt = try Interrupt()
        return try await withTaskCancellationHandler {
            let deadline = ContinuousClock.now + time
            while true {
                guard !isBroken, handle.consumeInput() else { throw broken(during: "notification") }
                var payloads: Set<String> = []
                while let payload = handle.nextNotification() { payloads.insert(payload) }
                if !payloads.isEmpty { return payloads }
                guard interrupt.wait(with: handle.socket, until: deadline) else { return [] }
                try Task.checkCancellation()
            }
        } onCancel: {
            interrupt.raise()
        }
    }
}

/// The bytes of a running binary COPY, a buffer at a time.
///
/// Buffers hold whole rows: the header is at the start of the first, the trailer at the end of the last.
package struct CopyStream {
    private let connection: PostgresConnection
    private let query: String
    private let bufferSize: Int
    private var hasEnded = false

    fileprivate init(connection: PostgresConnection, query: String, bufferSize: Int) {
        self.connection = connection
        self.query = query
        self.bufferSize = bufferSize
    }

    /// Replaces the buffer's contents with the next rows. The server is read only during this call, so a slow reader slows the
    /// server.
    ///
    /// - Parameter size: bytes that the buffer is to hold at least; nil: the stream's number.
    /// - Returns: whether there may be more.
    package mutating func next(into buffer: CopyBuffer, atLeast size: Int? = nil) async throws -> Bool {
        guard !hasEnded else {
            buffer.removeAll()
            return false
        }
        hasEnded = try await connection.copyNext(into: buffer, atLeast: size ?? bufferSize, query: query)
        return !hasEnded
    }
}
