private import Synchronization

/// A bounded set of connections, opened when they are needed.
///
/// If all of them are in use, a request waits for a limited time in a queue in which flows take turns: see
/// ``withFlowKey(_:_:)``. A connection that was lost is closed when it is returned; one that was lost while it was idle is
/// closed before it is lent again.
package final class PostgresPool: Sendable {
    /// How the pool connects.
    package let options: ConnectionOptions
    private let size: Int
    private let acquisitionTimeout: Duration
    private let share: ConnectionShare?
    private let state = Mutex(State())

    private struct State {
        var idle: [PostgresConnection] = []
        var open = 0
        var waiters = FairQueue<Int, Waiter>()
        var nextWaiter: UInt64 = 0
        var isClosed = false
        var figures = Figures()
        /// The server refused the last attempt because the login, the database or the server has too many connections.
        var shortage: Shortage?
        /// The pool opens no connection before this time.
        var nextTry: ContinuousClock.Instant?
        /// The deadline of the last request that found the pool without a connection and was refused one by the server.
        var starvesUntil: ContinuousClock.Instant?
        /// Another pool closed a connection for this one. The server may count that connection until this time.
        var roomUntil: ContinuousClock.Instant?
    }

    /// After a refusal, how long the pool uses the connections that it has before it tries to open another one.
    private struct Shortage {
        /// How long the server may still count a connection that another pool has closed.
        static let forgetting: Duration = .seconds(5)
        static let first: Duration = .milliseconds(25)
        /// For a pool without a connection, which depends on the next attempt; and for one with others.
        static let longest = (starving: Duration.seconds(1), working: Duration.seconds(15))

        let error: PostgresError
        let delay: Duration
    }

    /// Counts since the pool was created.
    package struct Figures: Sendable {
        /// Connections that were opened.
        package var opened = 0
        /// Connections that could no longer be used: the session was lost, or has lasted for an hour.
        package var lost = 0
        /// Failed attempts to open a connection.
        package var failed = 0
        /// Whether the last attempt to open a connection succeeded, or the last returned connection still worked.
        package var isAnswering = true
    }

    /// The counts now.
    package var figures: Figures { state.withLock { $0.figures } }

    private struct Waiter {
        let continuation: CheckedContinuation<Turn, any Error>
    }

    /// What a waiter receives: a connection, the right to open one, or the order to ask again.
    private enum Turn {
        case connection(PostgresConnection)
        case openOne
        case again
    }

    /// - Parameters:
    ///   - acquisitionTimeout: how long a request waits for a connection.
    ///   - share: of the pools with the same login.
    package init(
        _ options: ConnectionOptions, size: Int, acquisitionTimeout: Duration = .seconds(5), share: ConnectionShare? = nil
    ) {
        self.options = options
        self.size = size
        self.acquisitionTimeout = acquisitionTimeout
        self.share = share
        share?.join(self)
    }

    var openCount: Int { state.withLock { $0.open } }

    var isStarving: Bool {
        state.withLock { state in state.open == 0 && state.starvesUntil.map { $0 > .now } ?? false }
    }

    /// Closes an idle connection, for another pool or because it is rarely needed.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    package func closeIdle() -> Bool {
        let idle: PostgresConnection? = state.withLock { state in
            guard !state.idle.isEmpty else { return nil }
            state.open -= 1
            return state.idle.removeFirst()
        }
        return idle != nil
    }

    /// Ends the waits of a pool that has no connection, is refused one by the server, and got no room from another pool.
    ///
    /// - Returns: whether that is so.
    @discardableResult
    func refuseWaiters() -> Bool {
        let (error, waiters) = state.withLock { state -> (PostgresError?, [Waiter]) in
            guard state.open == 0, let shortage = state.shortage, state.roomUntil.map({ $0 < .now }) ?? true else {
                return (nil, [])
            }
            // The next request tries at once.
            state.nextTry = nil
            return (shortage.error, state.waiters.removeAll())
        }
        guard let error else { return false }
        for waiter in waiters { waiter.continuation.resume(throwing: error) }
        return true
    }

    @TaskLocal private static var flowKey = 0

    /// Puts the requests that the body makes to pools into one flow, so that a flow with many requests does not delay one with
    /// few.
    ///
    /// - Parameter key: 0 is the flow of requests without a key.
    package static func withFlowKey<Result>(_ key: Int, _ body: () async throws -> Result) async rethrows -> Result {
        try await $flowKey.withValue(key, operation: body)
    }

    /// Lends a connection to the body.
    ///
    /// - Throws: ``PostgresError`` if none became available in time; otherwise the body's error, unchanged.
    package func withConnection<Result: Sendable>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await lend(try await acquire(), body)
    }

    private func lend<Result: Sendable>(
        _ connection: PostgresConnection, _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body(connection)
            await release(connection)
            return result
        } catch {
            await release(connection)
            throw error
        }
    }

    /// Lends a connection for one statement that is a transaction of its own; see
    /// ``PostgresConnection/withStatement(role:_:)``.
    package func withStatement<Result: Sendable>(
        role: String, _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await withLent { try await $0.withStatement(role: role, body) }
    }

    /// Lends a connection without waiting, for work that can be done without it.
    ///
    /// - Returns: nil if all are in use, or none can be opened.
    package func withSpareConnection<Result: Sendable>(
        _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result? {
        guard let connection = await spare() else { return nil }
        return try await lend(connection, body)
    }

    private func spare() async -> PostgresConnection? {
        while true {
            let isShort = share?.isStarving(besides: self) ?? false
            let turn: Turn? = state.withLock { state in
                state.isClosed || isShort || state.shortage != nil ? nil : Self.free(&state, size)
            }
            switch turn {
            case nil, .again: return nil
            case .connection(let connection):
                if await connection.isUsable { return connection }
                lose()
                giveBack(nil)
            case .openOne: return try? await open(until: .now)
            }
        }
    }

    /// Lends a connection and runs a transaction on it; see ``PostgresConnection/withTransaction(isolation:readOnly:role:_:)``.
    package func withTransaction<Result: Sendable>(
        isolation: PostgresConnection.IsolationLevel = .readCommitted, readOnly: Bool = false, role: String? = nil,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        try await withLent { connection in
            try await connection.withTransaction(isolation: isolation, readOnly: readOnly, role: role, body)
        }
    }

    /// Lends a connection, and runs everything on its thread: the check before the body, the body, and the check after it.
    private func withLent<Result: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let deadline = ContinuousClock.now + acquisitionTimeout
        while true {
            let connection: PostgresConnection
            switch try await turn(until: deadline) {
            case .connection(let idle): connection = idle
            case .openOne:
                guard let new = try await open(until: deadline) else { continue }
                connection = new
            case .again: continue
            }
            let lent = await connection.lend(body)
            if let result = lent.result {
                if !lent.isUsable {
                    lose()
                    dropIdle()
                }
                giveBack(lent.isUsable ? connection : nil)
                return try result.get()
            }
            // The connection was lost while it was idle.
            lose()
            giveBack(nil)
        }
    }

    /// Opens a connection in a place that is reserved for it, or returns the place.
    ///
    /// - Returns: nil if the server has too many connections; one of the pool's own may become free before the deadline.
    private func open(until deadline: ContinuousClock.Instant) async throws -> PostgresConnection? {
        do {
            let connection = try await PostgresConnection.connect(options)
            let next: Waiter? = state.withLock { state in
                state.figures.opened += 1
                state.figures.isAnswering = true
                (state.starvesUntil, state.roomUntil) = (nil, nil)
                guard state.shortage != nil else { return nil }
                (state.shortage, state.nextTry) = (nil, nil)
                // The server may accept more.
                guard state.open < size, let waiter = state.waiters.popFirst() else { return nil }
                return waiter
            }
            next?.continuation.resume(returning: .again)
            return connection
        } catch let error as PostgresError where error.sqlState == SQLState.tooManyConnections {
            share?.refused(error)
            let isAlone = state.withLock { state in
                state.open -= 1
                state.figures.failed += 1
                if state.open == 0 {
                    state.figures.isAnswering = false
                    state.starvesUntil = max(deadline, state.starvesUntil ?? deadline)
                }
                return state.open == 0
            }
            // The server counts a closed connection for a moment longer.
            let hasRoom = isAlone && share?.makeRoom(for: self) ?? false
            state.withLock { state in
                let longest = isAlone ? Shortage.longest.starving : Shortage.longest.working
                let delay = hasRoom ? Shortage.first : min(state.shortage?.delay ?? Shortage.first, longest)
                state.shortage = Shortage(error: error, delay: delay * 2)
                state.nextTry = .now + delay
                if hasRoom { state.roomUntil = .now + Shortage.forgetting }
            }
            if share?.isStopping ?? false, refuseWaiters() { throw error }
            guard ContinuousClock.now < deadline else {
                passTryOn()
                throw error
            }
            return nil
        } catch {
            // A cancelled request says nothing about the database.
            if error is PostgresError {
                state.withLock { state in
                    state.figures.failed += 1
                    state.figures.isAnswering = false
                }
            }
            giveBack(nil)
            throw error
        }
    }

    private func lose() {
        state.withLock { $0.figures.lost += 1 }
    }

    /// Refuses further requests and closes idle connections. A connection that is lent is closed when it is returned.
    package func close() {
        let (idle, waiters) = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return (state.idle, state.waiters.removeAll())
        }
        _ = idle
        for waiter in waiters {
            waiter.continuation.resume(throwing: PostgresError(.unreachable, "the connection pool is closed"))
        }
    }

    private func acquire() async throws -> PostgresConnection {
        let deadline = ContinuousClock.now + acquisitionTimeout
        while true {
            switch try await turn(until: deadline) {
            case .connection(let connection):
                if await connection.isUsable { return connection }
                lose()
                giveBack(nil)
            case .openOne:
                if let connection = try await open(until: deadline) { return connection }
            case .again: break
            }
        }
    }

    private func turn(until deadline: ContinuousClock.Instant) async throws -> Turn {
        do {
            return try await turnInLine(until: deadline)
        } catch {
            passTryOn()
            throw error
        }
    }

    /// Lets the next waiter try to open a connection if the request that would have tried ends: after a refusal there may be no
    /// connection whose return would wake anybody.
    private func passTryOn() {
        let waiter: Waiter? = state.withLock { state in
            state.nextTry == nil || state.isClosed ? nil : state.waiters.popFirst()
        }
        waiter?.continuation.resume(returning: .again)
    }

    private func turnInLine(until deadline: ContinuousClock.Instant) async throws -> Turn {
        try Task.checkCancellation()
        let isOthersTurn = share?.isStarving(besides: self) ?? false
        // Nearly always a connection is free.
        let (turn, id, nextTry): (Turn?, UInt64, ContinuousClock.Instant?) = state.withLock { state in
            if !state.isClosed, let turn = Self.free(&state, size, isOthersTurn) { return (turn, 0, nil) }
            state.nextWaiter += 1
            let pause = ContinuousClock.now + Shortage.first
            return (nil, state.nextWaiter, state.nextTry.map { max($0, pause) } ?? (isOthersTurn ? pause : nil))
        }
        if let turn { return turn }
        let timer = Task {
            if let nextTry, nextTry < deadline {
                try await Task.sleep(until: nextTry)
                self.end(id, .success(.again))
            } else {
                try await Task.sleep(until: deadline)
                self.end(id, .failure(self.tooLate))
            }
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let turn: Result<Turn, any Error>? = state.withLock { state in
                    if state.isClosed {
                        return .failure(PostgresError(.unreachable, "the connection pool is closed"))
                    }
                    if let turn = Self.free(&state, size, isOthersTurn) { return .success(turn) }
                    state.waiters.append(Waiter(continuation: continuation), id: id, flow: Self.flowKey)
                    return nil
                }
                if let turn { continuation.resume(with: turn) }
                // The handler has already run if the task was cancelled before the waiter was in the queue.
                if Task.isCancelled { end(id, .failure(CancellationError())) }
            }
        } onCancel: {
            end(id, .failure(CancellationError()))
        }
    }

    private var tooLate: PostgresError {
        let shortage = state.withLock { $0.shortage?.error }
        return PostgresError(
            .poolExhausted,
            "no database connection became free within \(acquisitionTimeout)"
                + (shortage.map { ", and the server allows no more: \($0.message)" } ?? ""),
            sqlState: shortage?.sqlState, serverMessage: shortage?.serverMessage)
    }

    /// What is available without waiting. Waiters receive what is returned, so nothing is free while a request waits.
    ///
    /// - Parameter isOthersTurn: another pool of the login has no connection, and gets the next one.
    private static func free(_ state: inout State, _ size: Int, _ isOthersTurn: Bool = false) -> Turn? {
        if let connection = state.idle.popLast() { return .connection(connection) }
        guard state.open < size, !isOthersTurn || state.open == 0 else { return nil }
        if let nextTry = state.nextTry {
            let now = ContinuousClock.now
            guard now >= nextTry else { return nil }
            // One attempt at a time.
            state.nextTry = state.shortage.map { now + $0.delay }
        }
        state.open += 1
        return .openOne
    }

    private func end(_ id: UInt64, _ result: Result<Turn, any Error>) {
        let waiter = state.withLock { $0.waiters.remove(id) }
        waiter?.continuation.resume(with: result)
    }

    private func release(_ connection: PostgresConnection) async {
        let isUsable = await connection.isUsable
        if !isUsable {
            lose()
            dropIdle()
        }
        giveBack(isUsable ? connection : nil)
    }

    /// Closes the idle connections. What broke one has probably broken the others too, and a silent network shows that only
    /// after a timeout for each.
    private func dropIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.open -= state.idle.count
            state.figures.lost += state.idle.count
            return state.idle
        }
        // They are closed here, outside the lock.
        _ = idle
    }

    /// Passes on a connection, or the place of a lost one.
    private func giveBack(_ connection: PostgresConnection?) {
        if let connection, share?.isStarving(besides: self) ?? false { return cede(connection) }
        let waiter: Waiter? = state.withLock { state in
            if connection != nil { state.figures.isAnswering = true }
            if let waiter = state.waiters.popFirst() { return waiter }
            if let connection, !state.isClosed {
                state.idle.append(connection)
            } else {
                state.open -= 1
            }
            return nil
        }
        waiter?.continuation.resume(returning: connection.map(Turn.connection) ?? .openOne)
    }

    /// Closes a connection that another pool needs more. A waiter of this pool tries again a little later.
    private func cede(_ connection: consuming PostgresConnection) {
        let waiter: Waiter? = state.withLock { state in
            state.open -= 1
            let pause = ContinuousClock.now + Shortage.first * 2
            state.nextTry = max(state.nextTry ?? pause, pause)
            return state.waiters.popFirst()
        }
        _ = consume connection
        waiter?.continuation.resume(returning: .again)
    }
}
