internal import CLibPQ
private import Glibc
private import Synchronization

/// One connection, on a thread of its own.
///
/// Calls run one after another. A task that is cancelled while a statement runs cancels it on the server; so does a
/// statement that outlives its time-out. A connection that was lost, or whose server does not even answer a cancel
/// request, is dead for good: the pool replaces it.
package actor PostgresConnection {
    private let executor: ThreadExecutor
    let handle: PGHandle
    private let statementTimeout: Duration?
    let cancelGrace: Duration
    /// `SET LOCAL` for what a transaction depends on: behind a pooler it is a part of each.
    var transactionSettings = ""
    let canceller: Canceller
    var isDead = false
    var isCopying = false
    var session = Session()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Connects on the connection's own thread.
    ///
    /// - Throws: ``PostgresError``
    package static func connect(_ options: ConnectionOptions) async throws -> PostgresConnection {
        let executor = ThreadExecutor(label: "postgres")
        let opener = Opener(executor: executor)
        return try await opener.open(options)
    }

    /// Runs the blocking work of connecting where the connection will live.
    private actor Opener {
        private let executor: ThreadExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

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
        canceller = Canceller(PQgetCancel(handle.raw))
    }

    private func prepare(_ options: ConnectionOptions) throws {
        let version = Int(PQserverVersion(handle.raw)) / 10_000
        guard version >= Self.oldestServer else {
            throw PostgresError(
                .unsuitable,
                "the server is PostgreSQL \(version), but adminexport needs \(Self.oldestServer) or later: upgrade it")
        }
        // An SQL_ASCII database does not know what its bytes mean. Asked for UTF-8 the server would refuse every row with a byte
        // that is none; as they are, they can be read and mended here.
        let isBytes = PQparameterStatus(handle.raw, "server_encoding").map { String(cString: $0) } == "SQL_ASCII"
        let rows = try runScript("inspect-session", SessionSettings.inspection(options, version: version))
        var found: [String: SessionSettings.Found] = [:]
        for row in rows {
            found[try row.decode("name")] = .init(
                value: try row.decode("value"), maySet: try row.decode("may_set", as: String.self) == "true")
        }
        let settings = try SessionSettings(options, encoding: isBytes ? "SQL_ASCII" : "UTF8", found: found)
        transactionSettings = settings.transaction
        let process: String? = try rows.first?.decode("process")
        session.isOwn = options.keepsSession && isServer(process: process.flatMap { Int($0) })
        if session.isOwn { try runScript("session-settings", settings.session) }
    }

    /// The oldest major version whose settings and functions are known to do.
    private static let oldestServer = 15

    /// Whether no pooler stands between: it makes up the process number that it tells its clients.
    private func isServer(process: Int?) -> Bool {
        process == Int(PQbackendPID(handle.raw))
    }

    func isServer() throws -> Bool {
        let rows = try run(Query("process", "SELECT pg_catalog.pg_backend_pid() AS process")).rows
        return isServer(process: try rows.first?.decode("process"))
    }

    /// What is kept in a session is asked for anew after this time: roles, and what the server caches.
    private static let longestSession: Duration = .seconds(3_600)

    /// Whether the pool may hand it out again.
    ///
    /// An idle connection that has something to read was nearly always closed by the server, and is not worth finding out
    /// the rest: a new one costs little.
    package var isUsable: Bool {
        !isDead && !isCopying && session.began.duration(to: .now) < Self.longestSession
            && PQtransactionStatus(handle.raw) == PQTRANS_IDLE
            && PQstatus(handle.raw) == CONNECTION_OK && !PGHandle.isReadable(PQsocket(handle.raw))
    }

    /// Runs the body on the connection's own thread, if it can be used.
    ///
    /// - Returns: what came of it, nothing where it could not be used, and whether it can be used again.
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

    /// Runs one statement, outside a transaction or in the one that is under way, and gives its rows.
    ///
    /// - Throws: ``PostgresError``, or `CancellationError` where the task was cancelled.
    @discardableResult
    package func query(_ query: Query) async throws -> [Row] {
        try await withCancellation { connection in
            switch connection.session.use {
            case .free:
                guard connection.session.isOwn else { return try connection.runAlone(query) }
                try connection.assume(nil)
            case .statement, .transaction: break
            }
            return try connection.run(query).rows
        }
    }

    /// Behind a pooler a single statement too needs a transaction, for the settings that it depends on.
    private func runAlone(_ query: Query) throws -> [Row] {
        do {
            try runScript("begin", "BEGIN ISOLATION LEVEL READ COMMITTED" + transactionSettings)
            let rows = try run(query).rows
            try runScript("commit", "COMMIT")
            return rows
        } catch {
            if !isDead { _ = try? runScript("rollback", "ROLLBACK") }
            throw error
        }
    }

    /// Lets the body run a statement that is a transaction of its own. If the body runs a second one, to find out why the first
    /// failed, that is another transaction.
    ///
    /// Where no pooler stands between a statement is one message there and one back: the role stays the session's, and the statement is
    /// prepared once. Behind one it is a transaction like others.
    package func withStatement<Result: Sendable>(
        role: String, _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        guard session.isOwn else { return try await withTransaction(role: role, body) }
        try await withCancellation { try $0.assume(role) }
        session.use = .statement
        defer { session.use = .free }
        return try await body(self)
    }

    /// Runs statements that the program itself wrote, several at once; they take no values.
    package func script(_ name: String, _ sql: String) async throws {
        try await withCancellation { connection in
            if case .free = connection.session.use { try connection.assume(nil) }
            try connection.runScript(name, sql)
        }
    }

    /// Runs a statement within the transaction that is under way, and puts its rows into the buffer as a binary COPY would.
    ///
    /// For what is known to be small: all of it is held twice. A COPY is planned anew each time, and this is prepared.
    ///
    /// - Returns: whether there are no more rows than so many; else the buffer is empty.
    package func rows(of query: Query, atMost most: Int, into buffer: CopyBuffer) async throws -> Bool {
        try await withCancellation { connection in
            let statement = connection.session.isOwn ? try connection.prepared(query) : nil
            try connection.send(query, as: statement, binary: true)
            buffer.removeAll()
            return try connection.finishing(query, as: statement) {
                try connection.finish(query.name) { result in
                    guard result.rowCount <= most else { return false }
                    buffer.beginCopy()
                    result.append(to: buffer)
                    buffer.endCopy()
                    return true
                } ?? false
            }
        }
    }

    // MARK: libpq

    struct Outcome {
        let rows: [Row]
    }

    /// What a statement that comes now is part of.
    enum Use {
        /// Nothing: it runs as the login.
        case free
        /// A transaction of its own, with the role that was announced.
        case statement
        case transaction
    }

    /// What is set for a session that nobody else uses.
    struct Session {
        /// No pooler stands between, so what is set for the session stays this connection's.
        var isOwn = false
        var use = Use.free
        let began = ContinuousClock.now
        var role: String?
        var statements = PreparedStatements()
    }

    /// Makes the role the session's, or goes back to the login's own.
    func assume(_ role: String?) throws {
        guard session.isOwn, session.role != role else { return }
        try runScript("assume-role", role.map { "SET ROLE \($0)" } ?? "RESET ROLE")
        session.role = role
    }

    func deadline() -> ContinuousClock.Instant? {
        // The server's own time-out comes first; this one is for a server or a network that went silent.
        statementTimeout.map { ContinuousClock.now + $0 + cancelGrace }
    }

    func run(_ query: Query) throws -> Outcome {
        guard !isCopying else { throw PostgresError(.unexpectedResult, "a COPY is running", query: query.name) }
        let statement = session.isOwn ? try prepared(query) : nil
        // Between the two a request to cancel has found the server idle.
        try Task.checkCancellation()
        try send(query, as: statement, binary: true)
        return Outcome(rows: try finishing(query, as: statement) { try finish(query.name) })
    }

    /// Reads the answer to a statement, and gives the connection up where what it keeps is of no use any more.
    private func finishing<Value>(_ query: Query, as statement: String?, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as PostgresError where statement != nil && SQLState.stalePlans.contains(error.sqlState ?? "") {
            // A relation was altered ("cached plan must not change result type"), or somebody else has used the session. The next
            // connection prepares it anew.
            isDead = true
            throw PostgresError(
                .connectionLost, "a prepared statement is of no use any more", serverMessage: error.serverMessage,
                query: query.name)
        } catch let error as PostgresError where error.sqlState == SQLState.insufficientPrivilege && session.isOwn {
            // The role may have been taken away, or made anew. The next connection asks for it again.
            isDead = true
            throw error
        }
    }

    /// The name under which the statement is prepared, which is done at its first use; nil for one too many.
    private func prepared(_ query: Query) throws -> String? {
        if session.statements.arePlansOld(at: .now) {
            // Between two statements of a transaction as well.
            try runScript("discard-plans", "DISCARD PLANS")
            session.statements.renewPlans(at: .now)
        }
        if let name = session.statements.name(of: query.sql) { return name }
        guard let name = session.statements.newName() else { return nil }
        guard !isDead, PQsendPrepare(handle.raw, name, query.sql, 0, nil) == 1 else {
            isDead = true
            throw handle.lost(during: query.name)
        }
        _ = try finish(query.name)
        session.statements.keep(name, for: query.sql, at: .now)
        return name
    }

    /// - Returns: the rows of the last statement that gives some, as text.
    @discardableResult
    func runScript(_ name: String, _ sql: String) throws -> [Row] {
        guard PQsendQuery(handle.raw, sql) == 1 else {
            isDead = true
            throw handle.lost(during: name)
        }
        return try finish(name)
    }

    private func finish(_ name: String) throws -> [Row] {
        try finish(name) { $0.rows(query: name) } ?? []
    }

    /// Reads every result of what was sent; what the body makes of the last one with rows, or the first error.
    private func finish<Value>(_ name: String, _ body: (borrowing PGResult) -> Value) throws -> Value? {
        let deadline = deadline()
        var rows: Value?
        var fault: PostgresError?
        while let result = try nextResult(of: name, deadline: deadline) {
            switch result.status {
            case PGRES_TUPLES_OK: rows = body(result)
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
            default: fault = fault ?? result.fault(query: name)
            }
        }
        if PQstatus(handle.raw) != CONNECTION_OK { isDead = true }
        if let fault { throw fault }
        return rows
    }

    /// - Parameter statement: the name under which it is prepared.
    func send(_ query: Query, as statement: String? = nil, binary: Bool) throws {
        guard !isDead else { throw handle.lost(during: query.name) }
        var copies: [UnsafeMutablePointer<CChar>?] = []
        defer { copies.forEach { free($0) } }
        var lengths: [Int32] = []
        var formats: [Int32] = []
        for parameter in query.parameters {
            switch parameter {
            case .null:
                copies.append(nil)
                lengths.append(0)
                formats.append(0)
            case .text(let text):
                guard !text.utf8.contains(0) else {
                    throw PostgresError(
                        .statement, "PostgreSQL takes no NUL character", sqlState: "22021", query: query.name)
                }
                copies.append(strdup(text))
                lengths.append(0)
                formats.append(0)
            case .bytes(let bytes):
                let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 1)
                copy.copyMemory(from: bytes, byteCount: bytes.count)
                copies.append(copy.assumingMemoryBound(to: CChar.self))
                lengths.append(Int32(bytes.count))
                formats.append(1)
            }
        }
        let pointers = copies.map { UnsafePointer($0) }
        let count = Int32(pointers.count)
        let sent =
            if let statement {
                PQsendQueryPrepared(handle.raw, statement, count, pointers, lengths, formats, binary ? 1 : 0)
            } else {
                PQsendQueryParams(handle.raw, query.sql, count, nil, pointers, lengths, formats, binary ? 1 : 0)
            }
        guard sent == 1 else {
            isDead = PQstatus(handle.raw) != CONNECTION_OK
            throw handle.lost(during: query.name)
        }
    }

    func nextResult(of name: String, deadline: ContinuousClock.Instant?) throws -> PGResult? {
        while PQisBusy(handle.raw) == 1 {
            try waitForInput(of: name, deadline: deadline)
        }
        return PQgetResult(handle.raw).map { PGResult($0) }
    }

    /// Waits for bytes from the server. At the deadline the statement is cancelled; a server that does not answer even
    /// then costs the connection.
    func waitForInput(of name: String, deadline: ContinuousClock.Instant?) throws {
        if !PGHandle.poll(PQsocket(handle.raw), Int16(POLLIN), until: deadline) {
            canceller.cancel()
            guard PGHandle.poll(PQsocket(handle.raw), Int16(POLLIN), until: ContinuousClock.now + cancelGrace)
            else {
                isDead = true
                throw PostgresError(.timedOut, "PostgreSQL did not answer in time", query: name)
            }
        }
        guard PQconsumeInput(handle.raw) == 1 else {
            isDead = true
            throw handle.lost(during: name)
        }
    }

    func drain(_ name: String) throws {
        while let result = try nextResult(of: name, deadline: deadline()) {
            _ = consume result
        }
    }

    /// Runs blocking work; while it runs, a cancelled task asks the server to cancel the statement.
    func withCancellation<Result>(
        _ work: (isolated PostgresConnection) throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let ticket = canceller.arm()
        return try await withTaskCancellationHandler {
            defer {
                if !canceller.disarm(within: cancelGrace) { isDead = true }
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
}

extension PostgresConnection {
    /// Runs the body in a transaction: commits when it returns, rolls back when it throws. Its error is passed on as it is.
    ///
    /// - Parameters:
    ///   - role: assumed with `SET LOCAL ROLE`, so that the transaction can do what the role may and no more,
    ///     also behind a pooler. A name from the program, never data.
    ///   - snapshot: of another transaction that is under way, to see what it sees; see ``exportSnapshot()``.
    package func withTransaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false, role: String? = nil, snapshot: SnapshotID? = nil,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        // In a session of our own the default is READ WRITE, or READ ONLY on a standby, where the words READ WRITE are refused.
        let access = readOnly ? " READ ONLY" : session.isOwn ? "" : " READ WRITE"
        var begin = "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(access)"
        if let snapshot { begin += "; SET TRANSACTION SNAPSHOT '\(snapshot.text)'" }
        if !session.isOwn {
            // In each one anew: the next may run on another session, and what is set for a session would stay there for strangers.
            begin += transactionSettings
            if let role { begin += "; SET LOCAL ROLE \(role)" }
        }
        do {
            // A role that may not be assumed leaves a transaction behind that has failed.
            try await withCancellation { connection in
                try connection.assume(role)
                try connection.begin(begin)
            }
            session.use = .transaction
            defer { session.use = .free }
            if let snapshot { try await withCancellation { try $0.checkServer(of: snapshot) } }
            let result = try await body(self)
            _ = try await withCancellation { try $0.runScript("commit", "COMMIT") }
            return result
        } catch {
            // A rollback that fails leaves a connection that is not idle, and such a one is not used again.
            if !isDead { _ = try? runScript("rollback", "ROLLBACK") }
            throw error
        }
    }

    private func begin(_ script: String) throws {
        do {
            try runScript("begin", script)
        } catch let error as PostgresError where error.sqlState == SQLState.featureNotSupported && !session.isOwn {
            // READ WRITE on a standby, which takes no writes until it is promoted.
            throw PostgresError(
                .statement, error.message, sqlState: SQLState.readOnlyTransaction, serverMessage: error.serverMessage,
                query: error.query)
        }
    }

    /// What the running transaction sees, for others to see too. It lasts as long as the transaction.
    package func exportSnapshot() throws -> SnapshotID {
        let rows = try run(
            Query("export-snapshot", "SELECT pg_export_snapshot() AS id, pg_postmaster_start_time() AS started")
        ).rows
        guard let row = rows.first, let snapshot = SnapshotID(try row.decode("id"), server: try row.decode("started")) else {
            throw PostgresError(.unexpectedResult, "the server's snapshot has no name", query: "export-snapshot")
        }
        return snapshot
    }

    /// Another server may have a snapshot of the same name.
    private func checkServer(of snapshot: SnapshotID) throws {
        let rows = try run(Query("started", "SELECT pg_postmaster_start_time() AS started")).rows
        guard try rows.first?.decode("started") == snapshot.server else {
            throw PostgresError(.unexpectedResult, "the connections lead to different servers", query: "started")
        }
    }

    /// A name that a server has given a snapshot. It becomes part of a statement, so it is held to what servers give.
    package struct SnapshotID: Sendable {
        let text: String
        /// When the server was started, to a microsecond: by which it is known from others.
        let server: Timestamp

        init?(_ text: String, server: Timestamp) {
            self.server = server
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || $0.isHexadecimalDigit }) else {
                return nil
            }
            self.text = text
        }
    }

    package enum IsolationLevel: String, Sendable {
        case readCommitted = "READ COMMITTED"
        case repeatableRead = "REPEATABLE READ"
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}

extension PostgresConnection {
    /// Encodings of a database that have every text without NUL.
    private static let complete: Set<String> = ["UTF8", "SQL_ASCII"]

    /// Those of the texts that the database's encoding can hold, in their order. The others equal nothing that is stored there.
    ///
    /// The server is asked only where its encoding may lack a character. A transaction that is under way goes on.
    package func storable(_ texts: [String]) async throws -> [String] {
        let encoding = PQparameterStatus(handle.raw, "server_encoding").map { String(cString: $0) }
        let isComplete = encoding.map(Self.complete.contains) ?? false
        var storable: [String] = []
        for text in texts where !text.utf8.contains(0) {
            // Every encoding of a server has ASCII.
            if isComplete || text.utf8.allSatisfy({ $0 < 128 }) {
                storable.append(text)
            } else if try await canHold(text) {
                storable.append(text)
            }
        }
        return storable
    }

    private func canHold(_ text: String) async throws -> Bool {
        let probe = Query("storable", "SELECT length($1::text) AS length", [.text(text)])
        let isInTransaction = session.use == .transaction
        // A statement that fails would end the transaction.
        if isInTransaction { try await script("probe", "SAVEPOINT probe") }
        do {
            try await query(probe)
        } catch let error as PostgresError where error.isUnstorableText {
            if isInTransaction { try await script("probe-undo", "ROLLBACK TO SAVEPOINT probe; RELEASE SAVEPOINT probe") }
            return false
        }
        if isInTransaction { try await script("probe-end", "RELEASE SAVEPOINT probe") }
        return true
    }
}

extension PostgresConnection {
    /// Starts a binary COPY. Read it to its end with ``copyNext(into:atLeast:query:)``.
    ///
    /// COPY takes no parameters: values reach it through transaction-local settings, read back by `current_setting`.
    func copyStart(_ query: Query) async throws {
        precondition(!isCopying, "one COPY at a time on a connection")
        precondition(query.parameters.isEmpty, "COPY takes no parameters")
        try await withCancellation { connection in
            try connection.send(query, binary: true)
            let result = try connection.nextResult(of: query.name, deadline: connection.deadline())
            guard let result else { throw connection.handle.lost(during: query.name) }
            guard result.status == PGRES_COPY_OUT else {
                let fault = result.fault(query: query.name)
                try connection.drain(query.name)
                throw fault
            }
            connection.isCopying = true
        }
    }

    /// Reads the next rows of the COPY: whole messages, until there are `size` bytes or none are left.
    ///
    /// The server is read only when this is asked for, so a slow reader slows the server and nothing piles up here.
    ///
    /// - Parameter buffer: emptied and filled again, so that one buffer serves a whole export.
    /// - Returns: whether the COPY has ended (with its trailer in the buffer).
    func copyNext(into buffer: CopyBuffer, atLeast size: Int, query: String) async throws -> Bool {
        precondition(isCopying, "no COPY is running")
        buffer.removeAll()
        return try await withCancellation { connection in
            let deadline = connection.deadline()
            while buffer.count < size {
                var message: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(connection.handle.raw, &message, 1)
                if length > 0, let message {
                    buffer.append(message, Int(length))
                    PQfreemem(message)
                } else if length == 0 {
                    try connection.waitForInput(of: query, deadline: deadline)
                } else {
                    connection.isCopying = false
                    guard let result = try connection.nextResult(of: query, deadline: deadline) else {
                        throw connection.handle.lost(during: query)
                    }
                    let fault = result.status == PGRES_COMMAND_OK ? nil : result.fault(query: query)
                    try connection.drain(query)
                    if let fault { throw fault }
                    return true
                }
            }
            return false
        }
    }

    /// Gives up a COPY that was not read to its end.
    func copyAbandon() {
        guard isCopying else { return }
        isCopying = false
        canceller.cancel()
        let until = ContinuousClock.now + cancelGrace
        while !isDead {
            var message: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(handle.raw, &message, 1)
            PQfreemem(message)
            if length > 0 { continue }
            if length < 0 { break }
            guard PGHandle.poll(PQsocket(handle.raw), Int16(POLLIN), until: until), PQconsumeInput(handle.raw) == 1
            else {
                isDead = true
                break
            }
        }
        if !isDead { _ = try? drain("copy") }
        if !canceller.disarm(within: cancelGrace) { isDead = true }
    }
}

extension PostgresConnection {
    /// Listens on a channel from now on. The connection serves nothing else after that.
    ///
    /// - Parameter channel: a name of the program's own, never data.
    /// - Throws: ``PostgresError``; `unexpectedResult` behind a pooler, which may lend another session for each
    ///   transaction.
    package func listen(_ channel: String) async throws {
        // What a pooler lends for a transaction must not be left listening, for nobody would ever read what it hears.
        guard try isServer() else {
            throw PostgresError(
                .unexpectedResult, "a pooler stands between here and the server, and the session may not be kept")
        }
        try await script("listen", "LISTEN \(channel)")
    }

    /// Waits for notifications on the connection's own thread.
    ///
    /// - Returns: what was said, once where it was said several times; nothing where nobody spoke in the time.
    /// - Throws: ``PostgresError/Code/connectionLost``; `CancellationError`, after which the connection may be used again.
    package func notifications(within time: Duration) async throws -> Set<String> {
        try Task.checkCancellation()
        let interrupt = try Interrupt()
        return try await withTaskCancellationHandler {
            let deadline = ContinuousClock.now + time
            while true {
                guard !isDead, PQconsumeInput(handle.raw) == 1 else {
                    isDead = true
                    throw handle.lost(during: "notification")
                }
                let found = takeNotifications()
                if !found.isEmpty { return found }
                guard interrupt.wait(with: PQsocket(handle.raw), until: deadline) else { return [] }
                try Task.checkCancellation()
            }
        } onCancel: {
            interrupt.raise()
        }
    }

    private func takeNotifications() -> Set<String> {
        var found: Set<String> = []
        while let notification = PQnotifies(handle.raw) {
            found.insert(notification.pointee.extra.map { String(cString: $0) } ?? "")
            PQfreemem(notification)
        }
        return found
    }
}

/// Ends a wait for a descriptor from another thread.
private final class Interrupt: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw PostgresError(.unreachable, "no descriptor is left to wait with") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func raise() {
        _ = write(writeEnd, "!", 1)
    }

    /// Waits for the descriptor, for ``raise()``, or for the deadline; false at the deadline.
    func wait(with descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            var entries = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            if ready > 0 || ready < 0 && errno != EINTR { return true }
        }
    }
}
