private import Synchronization

/// The subscriptions of one connection. Their number is limited, and the service chooses their ids.
package final class Subscriptions: Sendable {
    private let limit: Int
    private let post: @Sendable (_ line: [UInt8], _ key: String) -> Void
    private let discard: @Sendable (_ key: String) -> Void
    private let state = Mutex(State())

    private struct State {
        var open: [String: Subscription] = [:]
        var nextNumber = 1
        /// Whether no further subscriptions are opened.
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    init(
        limit: Int, post: @escaping @Sendable (_ line: [UInt8], _ key: String) -> Void,
        discard: @escaping @Sendable (_ key: String) -> Void
    ) {
        self.limit = limit
        self.post = post
        self.discard = discard
    }

    /// Opens a subscription, which the caller has to end.
    ///
    /// - Throws: ``RPCError`` −32001 if the connection has reached its limit or is ending.
    package func open() throws(RPCError) -> Subscription {
        let subscription: Subscription? = state.withLock { state in
            guard state.open.count < limit, !state.isClosed else { return nil }
            let subscription = Subscription(id: "s\(state.nextNumber)", owner: self)
            state.nextNumber += 1
            state.open[subscription.id] = subscription
            return subscription
        }
        guard let subscription else { throw .subscriptions(limit: limit) }
        return subscription
    }

    /// Ends a subscription for the peer, and drops its waiting notification. An unknown id has no effect.
    package func end(_ id: String) {
        let subscription = state.withLock { $0.open[id] }
        subscription?.end()
        discard(id)
    }

    /// Ends all subscriptions, and prevents new ones.
    func endAll() {
        let all = state.withLock { state in
            state.isClosed = true
            return Array(state.open.values)
        }
        for subscription in all { subscription.end() }
    }

    /// Waits until no subscription is open.
    func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.open.isEmpty { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    var isEmpty: Bool { state.withLock { $0.open.isEmpty } }

    fileprivate func send(_ id: String, _ line: [UInt8]) {
        post(line, id)
    }

    fileprivate func forget(_ id: String) {
        let waiting: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.open[id] = nil
            guard state.open.isEmpty else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// A subscription: the peer receives notifications until it ends.
package final class Subscription: Sendable {
    /// The id, which notifications repeat.
    package let id: String
    private let owner: Subscriptions
    private let state = Mutex(State())

    private struct State {
        var isOver = false
        var source: (@Sendable () -> Void)?
    }

    fileprivate init(id: String, owner: Subscriptions) {
        self.id = id
        self.owner = owner
    }

    /// Sends a notification. It replaces this subscription's previous one if that still waits.
    package func notify(_ method: String, _ params: [UInt8]) {
        // Within the lock, so that no notification follows the end.
        state.withLock { state in
            if !state.isOver { owner.send(id, Reply.notification(method, params)) }
        }
    }

    /// Sets the function that stops the source of the notifications. If the subscription has already ended, calls it now.
    package func onEnd(_ stop: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.source = stop }
            return state.isOver
        }
        if isOver { stop() }
    }

    /// Ends the subscription. No notification is added afterwards. Later calls have no effect.
    package func end() {
        let (isFirst, stop) = state.withLock { state in
            defer {
                state.isOver = true
                state.source = nil
            }
            return (!state.isOver, state.source)
        }
        guard isFirst else { return }
        stop?()
        owner.forget(id)
    }
}
