private import Synchronization

/// What a connection may ask of the service.
package struct ConnectionLimits: Sendable {
    /// Bytes of a line.
    package var line = 1024 * 1024
    package var nesting = 32
    package var batch = 32
    package var inFlight = 32
    package var parked = 32

    package init() {}
}

/// Serves one peer: reads its lines in order, runs its requests side by side, answers each exactly once.
///
/// Never throws: a peer that sends nonsense or goes away ends its own connection and nothing else.
package final class Connection<Session: Sendable, Channel: Transport>: Sendable {
    private let transport: Channel
    private let dispatcher: Dispatcher<Session>
    private let session: Session
    private let limits: ConnectionLimits
    private let state: Mutex<State>
    /// One line at a time goes out, and one large reply at a time is made.
    private let writing = AsyncLock()
    private let largeReply = AsyncLock()

    private struct State {
        var inFlight: InFlight
        var parked: [RequestID: Call] = [:]
        var tasks: [RequestID: (task: Task<[UInt8], Never>, isLong: Bool)] = [:]
        /// Requests that were cancelled before their task began.
        var cancelled: Set<RequestID> = []
        var isStopping = false
        /// A batch or an error of the reader's own is being dealt with.
        var isReaderBusy = false
        /// Since when a line has begun and not ended.
        var partialSince: ContinuousClock.Instant?
        /// Since when the peer has taken nothing of what waits for it.
        var blockedSince: ContinuousClock.Instant?
    }

    /// Bytes that are given to the transport at once: each that is taken shows that the peer still reads.
    private static var chunk: Int { 64 * 1024 }

    /// A request that is known to have a method and an id.
    private struct Call: Sendable {
        let request: Request
        let id: RequestID
        let method: Dispatcher<Session>.Method
    }

    package init(transport: Channel, dispatcher: Dispatcher<Session>, session: Session, limits: ConnectionLimits) {
        self.transport = transport
        self.dispatcher = dispatcher
        self.session = session
        self.limits = limits
        state = Mutex(State(inFlight: InFlight(window: limits.inFlight, parkingSpace: limits.parked)))
    }

    /// Serves until the peer has ended its side and every request has been answered, or the peer is gone.
    package func run() async {
        await withDiscardingTaskGroup { group in
            var framer = LineFramer(limit: limits.line)
            do {
                for try await bytes in transport.inbound {
                    let events = framer.append(bytes)
                    let isWithinLine = framer.isWithinLine
                    state.withLock { state in
                        let began = events.isEmpty ? state.partialSince : nil
                        state.partialSince = isWithinLine ? began ?? .now : nil
                    }
                    for event in events { await takeBusily(event, &group) }
                }
            } catch {
                // The peer is gone: nobody wants the answers.
                cancelAll()
            }
        }
    }

    /// Answers what runs, ends at once what only waits, and refuses what comes.
    package func stop() {
        let waiting = state.withLock { state in
            state.isStopping = true
            return state.tasks.values.filter(\.isLong).map(\.task)
        }
        for task in waiting { task.cancel() }
    }

    /// Ends everything that still runs.
    package func cancelAll() {
        let tasks = state.withLock { state in state.tasks.values.map(\.task) }
        for task in tasks { task.cancel() }
    }

    /// How long the peer has kept a line unfinished, and how long it has let a reply wait unread; zero where it does not.
    package var stalls: (reading: Duration, writing: Duration) {
        state.withLock { state in
            let now = ContinuousClock.now
            return (
                // While the reader is busy the rest of the line may have come, unread.
                state.isReaderBusy ? .zero : state.partialSince.map { $0.duration(to: now) } ?? .zero,
                state.blockedSince.map { $0.duration(to: now) } ?? .zero
            )
        }
    }

    /// Whether no request is being served.
    package var isIdle: Bool { state.withLock { $0.inFlight.isIdle && !$0.isReaderBusy } }

    // MARK: Lines

    private func takeBusily(_ event: LineFramer.Event, _ group: inout DiscardingTaskGroup) async {
        state.withLock { $0.isReaderBusy = true }
        await take(event, &group)
        state.withLock { state in
            state.isReaderBusy = false
            if state.partialSince != nil { state.partialSince = .now }
        }
    }

    private func take(_ event: LineFramer.Event, _ group: inout DiscardingTaskGroup) async {
        switch event {
        case .tooLong:
            await send(Reply.error(nil, .lineTooLong(limit: limits.line)))
        case .line(let line):
            let shape: JSONScanner.Shape
            do {
                shape = try JSONScanner.scan(line[...], depth: limits.nesting)
            } catch {
                return await send(Reply.error(nil, .parse(error)))
            }
            if case .array(let elements) = shape {
                await takeBatch(elements.map { line[$0] }, &group)
            } else {
                await takeMessage(line[...], shape, &group)
            }
        }
    }

    private func takeMessage(
        _ bytes: ArraySlice<UInt8>, _ shape: JSONScanner.Shape, _ group: inout DiscardingTaskGroup
    ) async {
        let request: Request
        do {
            request = try Request.parse(bytes, shape: shape)
        } catch {
            return await send(Reply.error(error.id, error.error))
        }
        guard let id = request.id else { return await notify(request) }
        guard let method = dispatcher.method(request.method) else {
            return await send(Reply.error(id, .methodNotFound(request.method)))
        }
        let call = Call(request: request, id: id, method: method)
        let (admission, isStopping) = state.withLock { state in
            if state.isStopping { return (InFlight.Admission.refuse, true) }
            let admission = state.inFlight.admit(id, isControl: method.isControl)
            if admission == .park { state.parked[id] = call }
            return (admission, false)
        }
        switch admission {
        case .start:
            group.addTask { await self.serve(call) }
        case .park:
            break
        case .refuse:
            await send(Reply.error(id, isStopping ? .shuttingDown : .overloaded))
        case .duplicate:
            await send(
                Reply.error(nil, .invalidRequest("A request with this id is still in flight.", kind: "duplicate-id")))
        }
    }

    /// Serves the call and then, one after the other, those that were parked behind it.
    private func serve(_ first: Call) async {
        var next: Call? = first
        while let call = next {
            if call.method.isLarge {
                await largeReply.withLock { await answer(call) }
            } else {
                await answer(call)
            }
            next = state.withLock { state in
                state.inFlight.finish(isControl: call.method.isControl).flatMap { state.parked.removeValue(forKey: $0) }
            }
        }
    }

    private func answer(_ call: Call) async {
        let reply = await run(call)
        // Before the reply goes: the peer may use the id again as soon as it has it.
        state.withLock { state in
            state.tasks[call.id] = nil
            state.cancelled.remove(call.id)
            state.inFlight.answer(call.id)
        }
        await send(reply)
    }

    /// Runs the call in a task of its own, which `$/cancelRequest` can reach.
    private func run(_ call: Call) async -> [UInt8] {
        let task = Task { await dispatcher.reply(to: call.request, call.method, id: call.id, session: session) }
        let isUnwanted = state.withLock { state in
            state.tasks[call.id] = (task, call.method.isLong)
            return state.isStopping && call.method.isLong || state.cancelled.contains(call.id)
        }
        if isUnwanted { task.cancel() }
        let reply = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        guard task.isCancelled, state.withLock({ $0.isStopping }) else { return reply }
        return Reply.error(call.id, .shuttingDown)
    }

    // MARK: Notifications

    /// `$/cancelRequest` is the only one that does anything; others are ignored, as JSON-RPC wants it.
    private func notify(_ request: Request) async {
        guard request.method == "$/cancelRequest",
            case .object(let members)? = try? JSONScanner.scan(request.params),
            let member = members.first(where: { $0.name == "id" })
        else { return }
        let id = RequestID(json: Array(request.params[member.value]))
        let (task, parked) = state.withLock { state in
            if state.inFlight.unpark(id) { return (Task<[UInt8], Never>?.none, state.parked.removeValue(forKey: id)) }
            // Between its admission and its first step a request has no task yet.
            if state.inFlight.isRunning(id) { state.cancelled.insert(id) }
            return (state.tasks[id]?.task, nil)
        }
        task?.cancel()
        if let parked { await send(Reply.error(parked.id, .cancelled)) }
    }

    // MARK: Batches

    /// Runs a batch in order and answers it in one line (JSON-RPC 2.0, section 6).
    private func takeBatch(_ elements: [ArraySlice<UInt8>], _ group: inout DiscardingTaskGroup) async {
        guard !elements.isEmpty, elements.count <= limits.batch else {
            return await send(
                Reply.error(nil, .invalidRequest("A batch has 1 to \(limits.batch) requests.")))
        }
        var replies: [[UInt8]] = []
        for bytes in elements {
            if let reply = await replyInBatch(bytes) { replies.append(reply) }
        }
        guard !replies.isEmpty else { return }
        await send(Array("[".utf8) + Array(replies.joined(separator: Array(",".utf8))) + Array("]".utf8))
    }

    private func replyInBatch(_ bytes: ArraySlice<UInt8>) async -> [UInt8]? {
        let request: Request
        do {
            // The whole line has been scanned; this tells the element's own members.
            let shape = (try? JSONScanner.scan(bytes, depth: limits.nesting)) ?? .literal
            request = try Request.parse(bytes, shape: shape)
        } catch {
            return Reply.error(error.id, error.error)
        }
        guard let id = request.id else {
            await notify(request)
            return nil
        }
        guard !state.withLock({ $0.isStopping }) else { return Reply.error(id, .shuttingDown) }
        guard let method = dispatcher.method(request.method) else {
            return Reply.error(id, .methodNotFound(request.method))
        }
        guard !method.isLong else {
            return Reply.error(id, .invalidRequest("\(request.method) is not taken in a batch."))
        }
        return await dispatcher.reply(to: request, method, id: id, session: session)
    }

    /// Sends a line; returns when the peer's side has taken all of it.
    private func send(_ reply: [UInt8]) async {
        await writing.withLock {
            let line = reply + [UInt8(ascii: "\n")]
            do {
                for start in stride(from: 0, to: line.count, by: Self.chunk) {
                    state.withLock { $0.blockedSince = .now }
                    try await transport.write(line[start..<min(line.count, start + Self.chunk)])
                }
            } catch {
                // Nobody reads any more: stop what would only produce more.
                cancelAll()
            }
            state.withLock { $0.blockedSince = nil }
        }
    }
}
