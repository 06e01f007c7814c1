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
        /// Resumed when at most this many bytes wait.
        var room: [(bytes: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var writer: CheckedContinuation<Void, Never>?
        var nextTicket = 0
        /// Nothing more will come.
        var isFinished = false
        /// Nothing can be sent any more.
        var hasFailed = false
    }

    init(budget: Int, chunk: Int, held: HeldBytes) {
        self.budget = budget
        self.chunk = chunk
        self.held = held
    }

    var hasFailed: Bool { state.withLock { $0.hasFailed } }
    var waitingBytes: Int { state.withLock { $0.outbox.bytes } }
    var isOverBudget: Bool { state.withLock { $0.outbox.bytes > budget && !$0.hasFailed } }

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
    func waitForRoom() async { await wait(untilAtMost: budget) }

    /// Returns when at most this many bytes wait, or nothing can be sent any more.
    func wait(untilAtMost bytes: Int) async {
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                if state.hasFailed || state.outbox.bytes <= bytes { return true }
                state.room.append((bytes, continuation))
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
            state.outbox.removeAll()
            held.set(0)
            defer {
                state.senders = [:]
                state.room = []
            }
            return (state.senders.values, state.room.map(\.continuation) + [state.writer.take()].compactMap(\.self))
        }
        for sender in senders { sender.resume(returning: false) }
        for continuation in waiting { continuation.resume() }
    }

    // MARK: The one who sends it

    /// Sends what is in the queue, until it is finished or cannot be sent.
    ///
    /// - Parameter write: writes a piece, and the attachments with its first byte.
    func drain(_ write: (ArraySlice<UInt8>, [Attachment]) async throws -> Void) async {
        while let entries = await next() {
            do {
                let bytes = entries.count == 1 ? entries[0].line : Array(entries.map(\.line).joined())
                var attachments = entries[0].attachments
                for start in stride(from: 0, to: bytes.count, by: chunk) {
                    try await write(bytes[start..<min(bytes.count, start + chunk)], attachments)
                    attachments = []
                }
                sent(entries)
            } catch {
                fail()
            }
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
            let senders = entries.compactMap { $0.ticket.flatMap { state.senders.removeValue(forKey: $0) } }
            let room = state.room.filter { state.outbox.bytes <= $0.bytes }
            if !room.isEmpty { state.room.removeAll { state.outbox.bytes <= $0.bytes } }
            return (senders, room.map(\.continuation))
        }
        for sender in waiting.senders { sender.resume(returning: true) }
        for continuation in waiting.room { continuation.resume() }
    }
}
