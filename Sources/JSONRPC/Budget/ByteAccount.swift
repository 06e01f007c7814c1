private import Synchronization

/// Counts the bytes that this process holds for peers, and limits them: requests that arrive, wait or run, and replies that the
/// peer has not taken yet.
///
/// Accounts nest: a connection's account is within its user's, and a user's is within the service's. An account takes bytes
/// from the accounts around it too, or takes none at all.
package final class ByteAccount: Sendable {
    /// Whose bytes the account counts. Error messages name it.
    package enum Scope: String, Sendable {
        /// One connection, all connections of a user, or all users.
        case connection, user, service
    }

    /// Control requests may exceed a limit by the limit divided by this. A peer that has used up the limit can still cancel.
    private static let reserveDivisor = 8

    private let scope: Scope
    private let limit: @Sendable () -> Int
    private let parent: ByteAccount?
    private let state = Mutex((held: 0, peak: 0))

    /// - Parameter limit: called for each check, because the limit can change.
    package init(_ scope: Scope, within parent: ByteAccount? = nil, limit: @escaping @Sendable () -> Int) {
        self.scope = scope
        self.parent = parent
        self.limit = limit
    }

    /// The number of bytes held now.
    package var held: Int { state.withLock { $0.held } }

    /// Returns the largest number of bytes held since the last call.
    package func takePeak() -> Int {
        state.withLock { state in
            defer { state.peak = state.held }
            return state.peak
        }
    }

    /// Takes bytes from this account and from those around it.
    ///
    /// - Throws: −32001 if one of the accounts has too little room; then no account has changed.
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

    /// Counts bytes that exist already, such as a reply, without a check of the limit.
    func add(_ bytes: Int) {
        state.withLock { state in
            state.held += bytes
            state.peak = max(state.peak, state.held)
        }
        parent?.add(bytes)
    }
}

/// Bytes that one owner has taken from an account. `deinit` gives them back. The object is stored next to the bytes that it
/// counts, so they cannot stay counted when the bytes are gone, and cannot be given back twice.
final class HeldBytes: Sendable {
    private let account: ByteAccount
    private let count = Mutex(0)

    init(_ account: ByteAccount) {
        self.account = account
    }

    deinit {
        account.add(-count.withLock { $0 })
    }

    /// Takes this many bytes more.
    ///
    /// - Throws: −32001 if the account has too little room.
    func take(_ bytes: Int, isControl: Bool = false) throws(RPCError) {
        try account.take(bytes, isControl: isControl)
        count.withLock { $0 += bytes }
    }

    /// Sets the number of bytes, without a check of the limit.
    func set(_ bytes: Int) {
        let change = count.withLock { count in
            defer { count = bytes }
            return bytes - count
        }
        if change != 0 { account.add(change) }
    }

    /// Sets the number of bytes, and checks the limit if the number grows.
    ///
    /// - Throws: −32001 if there is too little room; then the number has not changed.
    func change(to bytes: Int) throws(RPCError) {
        let now = count.withLock { $0 }
        if bytes > now { try take(bytes - now) } else { set(bytes) }
    }

    /// The error that a further request would get; nil if the accounts are within their limits.
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
            "\(whose) reached the limit of \(limit) bytes for requests without a reply and replies that the client has not read. Read the replies, or try again in a moment.",
            retryable: true, details: [("limit", .number(limit)), ("scope", .text(scope.rawValue))])
    }
}
