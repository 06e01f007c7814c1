private import Synchronization

/// What a connection has to say to its peer, between those who say it and the one task that sends it.
///
/// After ``fail()`` the queue keeps nothing and no task waits, because the reader is gone.
final class OutputQueue<Attachment: Sendable>: Sendable {
    /// Over this many bytes no more is taken from the peer.
    private let budget: Int
    /// Bytes that are sent at once.
    private let chunk: Int
    /// What waits, in the connection's account.
    private let held: HeldBytes
    private let state = Mutex(State())

    private struct State {
        var outbox = Outbox<Attachment>()
        /// Told whether their line was sent.
        var senders: [Int: CheckedContinuation<Bool, Never>] = [:]
        var room: [CheckedContinuation<Void, Never>] = []
        var writer: CheckedContinuation<Void, Never>?
        var nextTicket = 0
        /// Nothing more will come.
        var isFinished = false
        /// Nothing can be sent any more.
        var hasFailed = false
        /// Since when the peer has taken nothing of what waits for it.
        var blockedSince: ContinuousClock.Instant?
    }

    init(budget: Int, chunk: Int, held: HeldBytes) {
        self.budget = budget
        self.chunk = chunk
        self.held = held
    }

    var blockedSince: ContinuousClock.Instant? { state.withLock { $0.blockedSince } }

    var hasFailed: Bool { state.withLock { $0.hasFailed } }
    var waitingBytes: Int { state.withLock { $0.outbox.bytes } }
    var isOverBudget: Bool { state.withLock { $0.outbox.bytes > budget && !$0.hasFailed } }

    /// Notes that the peer has taken some bytes.
    func progressed() {
        state.withLock { state in
            if state.blockedSince != nil { state.blockedSince = .now }
        }
    }

    // MARK: Those who say something

    /// Sends a line; returns when the peer's side has taken it, or nobody is there to take it.
    ///
    /// - Returns: whether it was taken.
    @discardableResult
    func send(_ json: consuming [UInt8], _ attachments: [Attachment] = []) async -> Bool {
        let line = JSONText.line(json)
        return await withCheckedContinuation { continuation in
            let (writer, isOver) = state.withLock { state in
                guard !state.hasFailed else { return (CheckedContinuation<Void, Never>?.none, true) }
                let ticket = state.nextTicket
                state.nextTicket += 1
                state.senders[ticket] = continuation
                state.outbox.add(Outbox.Entry(line: line, attachments: attachments, key: nil, ticket: ticket))
                held.set(state.outbox.footprint)
                return (state.writer.take(), false)
            }
            writer?.resume()
            if isOver { continuation.resume(returning: false) }
        }
    }

    /// Puts a line in the queue, in the place of one with the same key that still waits.
    func post(_ json: consuming [UInt8], replacing key: String? = nil) {
        let line = JSONText.line(json)
        let writer: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.hasFailed else { return nil }
            state.outbox.add(Outbox.Entry(line: line, attachments: [], key: key, ticket: nil))
            held.set(state.outbox.footprint)
            return state.writer.take()
        }
        writer?.resume()
    }

    func discard(key: String) {
        state.withLock { state in
            state.outbox.discard(key: key)
            held.set(state.outbox.footprint)
        }
    }

    /// Returns when no more than the budget waits.
    func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                if state.hasFailed || state.outbox.bytes <= budget { return true }
                state.room.append(continuation)
                return false
            }
            if hasRoom { continuation.resume() }
        }
    }

    /// Nothing more will come: ``next()`` ends when everything has been sent.
    func finish() {
        let writer = state.withLock { state in
            state.isFinished = true
            return state.writer.take()
        }
        writer?.resume()
    }

    /// Drops what waits, and whatever comes.
    func fail() {
        let (senders, waiting) = state.withLock { state in
            state.hasFailed = true
            state.blockedSince = nil
            state.outbox.removeAll()
            held.set(0)
            defer {
                state.senders = [:]
                state.room = []
            }
            return (state.senders.values, state.room + [state.writer.take()].compactMap(\.self))
        }
        for sender in senders { sender.resume(returning: false) }
        for continuation in waiting { continuation.resume() }
    }

    // MARK: The one who sends it

    /// Sends what is in the queue, until it is finished or the transport fails.
    func drain(into transport: some Transport<Attachment>) async {
        while let entries = await next() {
            do {
                try await send(entries, transport)
                sent(entries)
            } catch {
                fail()
            }
        }
    }

    private func send(_ entries: [Outbox<Attachment>.Entry], _ transport: some Transport<Attachment>) async throws {
        let bytes = entries.count == 1 ? entries[0].line : Array(entries.map(\.line).joined())
        var attachments = entries[0].attachments
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            state.withLock { $0.blockedSince = .now }
            try await transport.write(bytes[start..<min(bytes.count, start + chunk)], attachments)
            attachments = []
        }
    }

    private func next() async -> [Outbox<Attachment>.Entry]? {
        while true {
            let (entries, isOver) = state.withLock { state in
                (state.outbox.next(upTo: chunk), state.hasFailed || state.isFinished)
            }
            if !entries.isEmpty { return entries }
            if isOver { return nil }
            await withCheckedContinuation { continuation in
                let isNeeded = state.withLock { state in
                    guard state.outbox.isEmpty, !state.isFinished, !state.hasFailed else { return false }
                    state.writer = continuation
                    return true
                }
                if !isNeeded { continuation.resume() }
            }
        }
    }

    private func sent(_ entries: [Outbox<Attachment>.Entry]) {
        typealias Waiting = (senders: [CheckedContinuation<Bool, Never>], room: [CheckedContinuation<Void, Never>])
        let waiting: Waiting = state.withLock { state in
            // Of what was dropped nothing is left to count.
            guard !state.hasFailed else { return ([], []) }
            state.outbox.sent(entries)
            held.set(state.outbox.footprint)
            state.blockedSince = nil
            var waiting: Waiting = (
                entries.compactMap { $0.ticket.flatMap { state.senders.removeValue(forKey: $0) } }, []
            )
            if state.outbox.bytes <= budget { swap(&waiting.room, &state.room) }
            return waiting
        }
        for sender in waiting.senders { sender.resume(returning: true) }
        for continuation in waiting.room { continuation.resume() }
    }
}
