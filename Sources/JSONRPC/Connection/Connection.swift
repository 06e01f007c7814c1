internal import Synchronization

/// Serves one peer: reads its lines in order, runs its requests side by side, answers each exactly once.
///
/// Never throws: a peer that sends nonsense or goes away ends its own connection and nothing else. The reader never waits
/// for a request; it waits only while more than the budget of bytes is on its way to the peer.
package final class Connection<Session: Sendable, Channel: Transport>: Sendable {
    typealias Attachment = Channel.Attachment
    typealias Call = Work<Session, Attachment>.Call
    typealias Element = Work<Session, Attachment>.Element
    typealias Table = InFlight<Work<Session, Attachment>, Running>
    typealias Running = Task<Result<Outcome<Attachment>, RPCError>, Never>

    /// Effort after which the reader lets others have a turn.
    private static var turn: Int { 8 * 1024 }
    /// What any line takes, however short.
    private static var lineEffort: Int { 512 }
    /// Bytes that are given to the transport at once: each that is taken shows that the peer still reads.
    private static var chunk: Int { 64 * 1024 }
    /// Bytes of a line that has not ended which are not counted: who has no room left can still cancel.
    private static var freeLine: Int { 4 * 1024 }

    private let transport: Channel
    let dispatcher: Dispatcher<Session, Attachment>
    let session: Session
    let limits: ConnectionLimits
    let output: OutputQueue<Attachment>
    let subscriptions: Subscriptions
    let account: ByteAccount
    let state: Mutex<State>
    /// One large reply at a time is made.
    let largeReply = AsyncLock()

    struct State: Sendable {
        var inFlight: Table
        /// Why the connection takes no more requests.
        var stopping: RPCError?
        /// The reader waits until the peer has taken some of what is on its way.
        var isReaderWaiting = false
        /// What the peer has been told about lines.
        var advice = FramingAdvice()
        /// Since when a line has begun and not ended.
        var partialSince: ContinuousClock.Instant?
    }

    /// - Parameter account: what the connection's requests and replies are counted in.
    package init(
        transport: Channel, dispatcher: Dispatcher<Session, Channel.Attachment>, session: Session, limits: ConnectionLimits,
        account: ByteAccount = ByteAccount(.connection) { .max }
    ) {
        self.transport = transport
        self.dispatcher = dispatcher
        self.session = session
        self.limits = limits
        self.account = account
        let output = OutputQueue<Attachment>(budget: limits.output, chunk: Self.chunk, held: HeldBytes(account))
        self.output = output
        subscriptions = Subscriptions(
            limit: limits.subscriptions, post: { output.post($0, replacing: $1) }, discard: { output.discard(key: $0) })
        state = Mutex(State(inFlight: InFlight(window: limits.inFlight, parkingSpace: limits.parked)))
    }

    /// Serves until the peer has ended its side and has been told everything, or is gone.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.output.drain(into: self.transport)
                // Where it failed nobody reads any more: stop what would only produce more.
                if self.output.hasFailed { self.cancelAll() }
            }
            await withDiscardingTaskGroup { await self.read(&$0) }
            await subscriptions.ended()
            output.finish()
        }
    }

    /// Answers what runs, ends at once what only waits, and refuses what comes.
    package func stop(_ reason: RPCError = .shuttingDown) {
        let waiting = state.withLock { state in
            state.stopping = reason
            return state.inFlight.waiting
        }
        subscriptions.endAll()
        for task in waiting { task.cancel() }
    }

    /// Ends everything that still runs: the peer is gone, or is to go.
    package func cancelAll() {
        let tasks = state.withLock { state in
            state.stopping = state.stopping ?? .shuttingDown
            // Nobody would have the answers.
            state.inFlight.dropParked()
            return state.inFlight.running
        }
        subscriptions.endAll()
        output.fail()
        for task in tasks { task.cancel() }
    }

    /// How long the peer has kept a line unfinished, and how long it has let a reply wait unread; zero where it does not.
    package var stalls: (reading: Duration, writing: Duration) {
        let now = ContinuousClock.now
        let reading: Duration = state.withLock { state in
            // While the reader waits the rest of the line may have come, unread.
            state.isReaderWaiting ? .zero : state.partialSince.map { $0.duration(to: now) } ?? .zero
        }
        return (reading, output.blockedSince.map { $0.duration(to: now) } ?? .zero)
    }

    /// Notes that the peer has read some of what waits for it, though not yet all of a piece.
    package func peerHasRead() { output.progressed() }

    /// Bytes on their way to the peer.
    package var waitingBytes: Int { output.waitingBytes }

    /// Whether nothing is being served and everything has been told.
    package var isIdle: Bool {
        state.withLock { $0.inFlight.isIdle } && subscriptions.isEmpty && output.waitingBytes == 0
    }

    // MARK: Lines

    private func read(_ group: inout DiscardingTaskGroup) async {
        var framer = LineFramer(limit: limits.line)
        let held = HeldBytes(account)
        do {
            for try await bytes in transport.inbound {
                framer.feed(bytes)
                var isComplete = false
                var effort = 0
                while let event = framer.next() {
                    isComplete = true
                    effort += await take(event, &group)
                    await waitForRoom()
                    // Others have a turn: who sends fast must not have the threads for itself.
                    if effort > Self.turn {
                        effort = 0
                        await Task.yield()
                    }
                }
                keep(&framer, held)
                let isWithinLine = framer.isWithinLine
                state.withLock { state in
                    let began = isComplete ? nil : state.partialSince
                    state.partialSince = isWithinLine ? began ?? .now : nil
                }
            }
            if framer.isUnfinished { refuseUnfinishedLine() }
        } catch {
            // The peer is gone: nobody wants the answers.
            cancelAll()
        }
    }

    /// Tells the peer that its line has no end, unless it has been told so much.
    package func refuseUnfinishedLine() {
        if state.withLock({ $0.advice.misframed() }) { output.post(Reply.error(nil, .noLineEnd)) }
    }

    /// Counts what has come of a line; one for which there is no room is dropped to its end.
    private func keep(_ framer: inout LineFramer, _ held: HeldBytes) {
        do throws(RPCError) {
            try held.change(to: max(0, framer.partialBytes - Self.freeLine))
        } catch {
            framer.dropLine()
            held.set(0)
            output.post(Reply.error(nil, error))
        }
    }

    private func waitForRoom() async {
        guard output.isOverBudget else { return }
        noteWaiting(true)
        await output.waitForRoom()
        noteWaiting(false)
    }

    /// While the reader waits for somebody else, the peer is not to blame for a line that does not end.
    private func noteWaiting(_ isReaderWaiting: Bool) {
        state.withLock { state in
            state.isReaderWaiting = isReaderWaiting
            if !isReaderWaiting, state.partialSince != nil { state.partialSince = .now }
        }
    }

    /// A long line is scanned beside the threads that serve everybody, and takes none of their time.
    private func scan(_ line: [UInt8]) async throws(JSONFault) -> JSONDocument {
        guard line.count > Self.turn else { return try JSONDocument(scanning: line, depth: limits.nesting) }
        noteWaiting(true)
        defer { noteWaiting(false) }
        return try await LongLines.shared.scan(line, depth: limits.nesting)
    }

    /// - Returns: the effort that it took, about in bytes.
    private func take(_ event: LineFramer.Event, _ group: inout DiscardingTaskGroup) async -> Int {
        switch event {
        case .tooLong:
            output.post(Reply.error(nil, .lineTooLong(limit: limits.line)))
            return Self.lineEffort
        case .misframed(let framing):
            if state.withLock({ $0.advice.misframed() }) { output.post(Reply.error(nil, .misframed(framing))) }
            return Self.lineEffort
        case .line(let line):
            return await take(line, &group)
        }
    }

    /// - Returns: the effort that it took on the threads that serve everybody.
    private func take(_ line: [UInt8], _ group: inout DiscardingTaskGroup) async -> Int {
        let scanned: Result<JSONDocument, JSONFault>
        do throws(JSONFault) {
            scanned = .success(try await scan(line))
        } catch {
            scanned = .failure(error)
        }
        let isRequest = state.withLock { $0.advice.isGiven } && isRequest(scanned)
        switch (state.withLock { $0.advice.line(line, isRequest: isRequest) }, scanned) {
        case (.ignore, _): break
        case (.tell, _): output.post(Reply.error(nil, .severalLines(offset: line.count)))
        case (.serve, .success(let document)): take(document.root, &group)
        case (.serve, .failure(let fault)): output.post(Reply.error(nil, .parse(fault)))
        }
        return Self.lineEffort + (line.count > Self.turn ? 0 : line.count)
    }

    /// Whether a line is a message with a request in it, whatever that asks for.
    private func isRequest(_ scanned: Result<JSONDocument, JSONFault>) -> Bool {
        guard case .success(let document) = scanned else { return false }
        let message = document.root
        guard message.kind == .array else { return (try? Request.parse(message)) != nil }
        return message.elements.prefix(limits.batch).contains { (try? Request.parse($0)) != nil }
    }

    private func take(_ message: JSONNode, _ group: inout DiscardingTaskGroup) {
        if message.kind == .array { return takeBatch(message, &group) }
        var ids: Set<RequestID> = []
        switch element(message, &ids, isInBatch: false) {
        case .error(let id, let error):
            output.post(Reply.error(id, error))
        case .cancellation(let id):
            cancel(id)
        case .nothing:
            break
        case .call(let call):
            admit(.single(call), &group)
        }
    }

    private func takeBatch(_ batch: JSONNode, _ group: inout DiscardingTaskGroup) {
        let messages = Array(batch.elements.prefix(limits.batch + 1))
        guard !messages.isEmpty, messages.count <= limits.batch else {
            return output.post(Reply.error(nil, .invalidRequest("A batch has 1 to \(limits.batch) requests.")))
        }
        var ids: Set<RequestID> = []
        admit(.batch(messages.map { element($0, &ids, isInBatch: true) }), &group)
    }

    /// What a message asks for.
    ///
    /// - Parameter ids: those of the message's calls so far. Nobody else admits requests, so what is free stays so.
    private func element(_ message: JSONNode, _ ids: inout Set<RequestID>, isInBatch: Bool) -> Element {
        let request: Request
        do {
            request = try Request.parse(message)
        } catch {
            return .error(error.id, error.error)
        }
        guard let id = request.id else { return notification(request) }
        guard let method = dispatcher.method(request.method) else {
            return .error(id, .methodNotFound(request.method))
        }
        guard ids.insert(id).inserted, !state.withLock({ $0.inFlight.isTaken(id) }) else {
            return .error(nil, .duplicateID)
        }
        if isInBatch, method.traits.contains(.alone) {
            return .error(id, .invalidRequest("\(method.name) is not taken in a batch. Send it on a line of its own."))
        }
        do throws(RPCError) {
            return .call(Call(id: id, method: method, prepared: try dispatcher.prepare(method, request, session: session)))
        } catch {
            return .error(id, error)
        }
    }
}
