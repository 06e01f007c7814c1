private import Synchronization

/// Bytes that peers have this process hold, and how many they may be: requests that come, wait or run, and replies that are not
/// taken yet.
///
/// An account may lie within another: a connection's within its user's, and that within the service's. What is taken in one
/// is taken in all of them, or in none.
package final class ByteAccount: Sendable {
    /// Whose bytes they are, for the error message.
    package enum Scope: String, Sendable {
        /// Of one connection, of all connections of a user, or of all users.
        case connection, user, service
    }

    /// Control requests may exceed a limit by the limit divided by this, so that a peer that has used all of it can still cancel.
    private static let reserveDivisor = 8

    private let scope: Scope
    private let limit: @Sendable () -> Int
    private let parent: ByteAccount?
    private let state = Mutex((held: 0, peak: 0))

    /// - Parameter limit: asked each time, so that it may change.
    package init(_ scope: Scope, within parent: ByteAccount? = nil, limit: @escaping @Sendable () -> Int) {
        self.scope = scope
        self.parent = parent
        self.limit = limit
    }

    /// Bytes that are held now.
    package var held: Int { state.withLock { $0.held } }

    /// The most that was held since this was last asked.
    package func takePeak() -> Int {
        state.withLock { state in
            defer { state.peak = state.held }
            return state.peak
        }
    }

    /// - Throws: −32001 where one of the accounts has not so much room; then nothing is taken.
    func take(_ bytes: Int, isControl: Bool) throws(RPCError) {
        let limit = limit()
        let most = isControl ? limit + min(limit / Self.reserveDivisor, .max - limit) : limit
        let isTaken = state.withLock { state in
            guard bytes <= most - state.held else { return false }
            state.held += bytes
            state.peak = max(state.peak, state.held)
            return true
        }
        guard isTaken else { throw .overBudget(scope, limit: limit) }
        do {
            try parent?.take(bytes, isControl: isControl)
        } catch {
            state.withLock { $0.held -= bytes }
            throw error
        }
    }

    /// Counts bytes that are there anyway, such as a reply.
    func add(_ bytes: Int) {
        state.withLock { state in
            state.held += bytes
            state.peak = max(state.peak, state.held)
        }
        parent?.add(bytes)
    }
}

/// What one thing holds of an account. Given back when the last reference to it goes: it is kept beside the bytes that it stands
/// for, and so can neither be forgotten nor given back twice.
final class HeldBytes: Sendable {
    private let account: ByteAccount
    private let count = Mutex(0)

    init(_ account: ByteAccount) {
        self.account = account
    }

    deinit {
        account.add(-count.withLock { $0 })
    }

    /// Takes so many more.
    ///
    /// - Throws: −32001 where there is no room.
    func take(_ bytes: Int, isControl: Bool = false) throws(RPCError) {
        try account.take(bytes, isControl: isControl)
        count.withLock { $0 += bytes }
    }

    /// Says how many there are now, whatever room there is.
    func set(_ bytes: Int) {
        let change = count.withLock { count in
            defer { count = bytes }
            return bytes - count
        }
        if change != 0 { account.add(change) }
    }

    /// How many there are to be.
    ///
    /// - Throws: −32001 where they are more than there were and there is no room; then they are as many as before.
    func change(to bytes: Int) throws(RPCError) {
        let now = count.withLock { $0 }
        if bytes > now { try take(bytes - now) } else { set(bytes) }
    }

    /// Why no more can be taken; nil where it can.
    func fault(isControl: Bool) -> RPCError? {
        do throws(RPCError) {
            try account.take(0, isControl: isControl)
            return nil
        } catch {
            return error
        }
    }
}

extension RPCError {
    static func overBudget(_ scope: ByteAccount.Scope, limit: Int) -> RPCError {
        let whose =
            switch scope {
            case .connection: "This connection has"
            case .user: "The connections of this user have"
            case .service: "All callers together have"
            }
        return RPCError(
            -32001, "overloaded",
            "\(whose) reached the limit of \(limit) bytes in unanswered requests and unread replies. Read replies, or try again in a moment.",
            retryable: true, details: [("limit", .number(limit)), ("scope", .text(scope.rawValue))])
    }
}
