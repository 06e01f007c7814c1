private import Synchronization

/// The output of a connection: any task adds lines. A task that adds a line while no other waits sends it; the sending task sends all others.
///
/// After ``fail()`` the queue stores nothing and no task waits, because the peer is gone.
final class OutputQueue: Sendable {
    /// Writes a piece, with the attachments at its first byte.
    typealias Write = @Sendable (ArraySlice<UInt8>, [any Attachment]) async throws -> Void

    /// While more bytes than this wait, the connection reads nothing from the peer.
    private let budget: Int
    /// The maximum number of bytes in one write.
    private let chunk: Int
    /// Counts the waiting lines in the connection's account.
    private let held: HeldBytes
    private let state = Mutex(State())

    private struct State {
        var outbox = Outbox()
        /// By ticket; resumed with whether the line was sent.
        var senders: [Int: CheckedContinuation<Bool, Never>] = [:]
        /// Resumed when at most these numbers of bytes wait.
        var room: [(bytes: Int, continuation: CheckedContinuation<Void, Never>)] = []
        /// The sending task, while it has nothing to send and no other task writes.
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

    /// Sends a line, and returns when the operating system has taken it or the queue has failed.
    ///
    /// If no other line waits, the caller's task writes the line, which saves two changes of tasks. Otherwise it waits for the
    /// sending task.
    ///
    /// - Returns: whether the system has taken the line.
    @discardableResult
    func send(_ json: consuming [UInt8], _ attachments: [any Attachment], _ write: Write) async -> Bool {
        let line = JSONText.line(json)
        let writer: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.hasFailed, let writer = state.writer.take() else { return nil }
            state.outbox.add(Outbox.Entry(line: line, attachments: attachments, key: nil, ticket: nil))
            held.set(state.outbox.footprint)
            return writer
        }
        guard let writer else { return await wait(forSending: line, attachments) }
        let isSent = await sendNext(write)
        let isIdle = state.withLock { state in
            guard state.outbox.isEmpty, !state.isFinished, !state.hasFailed else { return false }
            state.writer = writer
            return true
        }
        if !isIdle { writer.resume() }
        return isSent == true
    }

    private func wait(forSending line: [UInt8], _ attachments: [any Attachment]) async -> Bool {
        await withCheckedContinuation { continuation in
            let (writer, hasFailed) = state.withLock { state in
                guard !state.hasFailed else { return (CheckedContinuation<Void, Never>?.none, true) }
                let ticket = state.nextTicket
                state.nextTicket += 1
                state.senders[ticket] = continuation
                state.outbox.add(Outbox.Entry(line: line, attachments: attachments, key: nil, ticket: ticket))
                held.set(state.outbox.footprint)
                // The sending task may have become idle since the caller checked.
                return (state.writer.take(), false)
            }
            writer?.resume()
            if hasFailed { continuation.resume(returning: false) }
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
    func drain(_ write: Write) async {
        repeat {
            while await sendNext(write) != nil {}
        } while await waitForLines()
    }

    /// Sends the next lines that can be sent together. One task at a time calls it.
    ///
    /// - Returns: whether the system has taken them; nil if there are none.
    private func sendNext(_ write: Write) async -> Bool? {
        let entries = state.withLock { $0.outbox.next(upTo: chunk) }
        guard !entries.isEmpty else { return nil }
        do {
            let bytes = entries.count == 1 ? entries[0].line : Array(entries.map(\.line).joined())
            var attachments = entries[0].attachments
            for start in stride(from: 0, to: bytes.count, by: chunk) {
                try await write(bytes[start..<min(bytes.count, start + chunk)], attachments)
                attachments = []
            }
            sent(entries)
            return true
        } catch {
            fail()
            return false
        }
    }

    /// - Returns: false if no further lines come.
    private func waitForLines() async -> Bool {
        await withCheckedContinuation { continuation in
            let isNeeded = state.withLock { state in
                guard state.outbox.isEmpty, !state.isFinished, !state.hasFailed else { return false }
                state.writer = continuation
                return true
            }
            if !isNeeded { continuation.resume() }
        }
        return state.withLock { !$0.outbox.isEmpty || !$0.isFinished && !$0.hasFailed }
    }

    private func sent(_ entries: [Outbox.Entry]) {
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
