private import Synchronization

/// The subscriptions of one connection: a bounded number, each known by an id that the service gives.
package final class Subscriptions: Sendable {
    private let limit: Int
    private let post: @Sendable (_ line: [UInt8], _ key: String) -> Void
    private let discard: @Sendable (_ key: String) -> Void
    private let state = Mutex(State())

    private struct State {
        var open: [String: Subscription] = [:]
        var nextNumber = 1
        /// No more are given out.
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

    /// Opens a subscription. The caller ends it.
    ///
    /// - Throws: ``RPCError`` −32001 where the connection has its share.
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

    /// Ends a subscription at the peer's wish: nothing more of it is sent. One that has ended is no error.
    package func end(_ id: String) {
        let subscription = state.withLock { $0.open[id] }
        subscription?.end()
        discard(id)
    }

    /// Ends all of them, and those that come.
    func endAll() {
        let all = state.withLock { state in
            state.isClosed = true
            return Array(state.open.values)
        }
        for subscription in all { subscription.end() }
    }

    /// Returns when none is open.
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

/// Something that a peer is told of until it ends.
package final class Subscription: Sendable {
    /// The id that the service has given, as notifications name it.
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

    /// Sends a notification, in the place of this subscription's last one where that still waits.
    package func notify(_ method: String, _ params: [UInt8]) {
        // Within the lock: nothing may follow the end.
        state.withLock { state in
            if !state.isOver { owner.send(id, Reply.notification(method, params)) }
        }
    }

    /// Says how to stop what feeds the subscription; done at once where it has ended already.
    package func onEnd(_ stop: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.source = stop }
            return state.isOver
        }
        if isOver { stop() }
    }

    /// Ends the subscription. Nothing of it is sent afterwards. Later calls have no effect.
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
