private import Synchronization

/// The output of a connection: any task adds lines, and one task sends them.
///
/// After ``fail()`` the queue stores nothing and no task waits, because the peer is gone.
final class OutputQueue<Attachment: Sendable>: Sendable {
    /// While more bytes than this wait, the connection reads nothing from the peer.
    private let budget: Int
    /// The maximum number of bytes in one write.
    private let chunk: Int
    /// Counts the waiting lines in the connection's account.
    private let held: HeldBytes
    private let state = Mutex(State())

    private struct State {
        var outbox = Outbox<Attachment>()
        /// By ticket; resumed with whether the line was sent.
        var senders: [Int: CheckedContinuation<Bool, Never>] = [:]
        /// Resumed when at most these numbers of bytes wait.
        var room: [(bytes: Int, continuation: CheckedContinuation<Void, Never>)] = []
        /// The sending task, while it has nothing to send.
        var writer: CheckedContinuation<Void, Never>?
        var nextTicket = 0
        /// No further lines are added.
        var isFinished = false
        /// Nothing can be sent, and nothing is stored.
        var hasFailed = false

        /// The waiters whose limit the waiting bytes do not exceed any more.
        mutating func takeRoom() -> [CheckedContinuation<Void, Never>] {
            let ready = room.filter { outbox.bytes <= $0.bytes }
            if !ready.isEmpty { room.removeAll { outbox.bytes <= $0.bytes } }
            return ready.map(\.continuation)
        }
    }

    init(budget: Int, chunk: Int, held: HeldBytes) {
        self.budget = budget
        self.chunk = chunk
        self.held = held
    }

    var hasFailed: Bool { state.withLock { $0.hasFailed } }
    var waitingBytes: Int { state.withLock { $0.outbox.bytes } }
    var isOverBudget: Bool { state.withLock { $0.outbox.bytes > budget && !$0.hasFailed } }

    // MARK: Adding lines

    /// Adds a line, and returns when the operating system has taken it or the queue has failed.
    ///
    /// - Returns: whether the system has taken the line.
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

    /// Adds a line without waiting. It replaces a waiting line with the same key.
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
        let room = state.withLock { state in
            state.outbox.discard(key: key)
            held.set(state.outbox.footprint)
            return state.takeRoom()
        }
        for continuation in room { continuation.resume() }
    }

    /// Waits until the waiting bytes are within the budget.
    func waitForRoom() async { await wait(untilAtMost: budget) }

    /// Waits until at most this many bytes wait, or the queue has failed.
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

    /// Announces that no further lines follow. ``drain(_:)`` returns when everything has been sent.
    func finish() {
        let writer = state.withLock { state in
            state.isFinished = true
            return state.writer.take()
        }
        writer?.resume()
    }

    /// Drops the waiting lines and all later ones, and resumes all waiting tasks.
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

    // MARK: Sending

    /// Sends the lines of the queue, until the queue is finished or a write fails.
    ///
    /// - Parameter write: writes a piece, with the attachments at its first byte.
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
            // The failure has already dropped and uncounted the entries.
            guard !state.hasFailed else { return ([], []) }
            state.outbox.sent(entries)
            held.set(state.outbox.footprint)
            let senders = entries.compactMap { $0.ticket.flatMap { state.senders.removeValue(forKey: $0) } }
            return (senders, state.takeRoom())
        }
        for sender in waiting.senders { sender.resume(returning: true) }
        for continuation in waiting.room { continuation.resume() }
    }
}
