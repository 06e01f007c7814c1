internal import Synchronization

/// Serves one peer: reads its lines in order, runs its requests concurrently, and answers each request exactly once.
///
/// It never throws: the faults of a peer end the connection of this peer and nothing else. The reader never waits for a
/// request. It waits only while a long line is scanned, or while more output than the budget waits for the peer.
package final class Connection: Sendable {
    /// The second is the function that cancels a request that runs.
    typealias Table = InFlight<Work, @Sendable () -> Void>

    /// The effort, about in bytes, after which the reader yields to other tasks.
    private static let turn = 8 * 1024
    /// The minimum effort for a line.
    private static let lineEffort = 512
    /// The size of the pieces that the transport gets. Each piece that it has written shows that the peer still reads.
    private static let chunk = 64 * 1024
    /// The part of an unfinished line that is not counted, so that a peer that has used up its account can still cancel.
    private static let freeLine = 4 * 1024

    private let transport: any Transport
    private let methods: any SessionMethods
    private let parser: MessageParser
    private let limits: ConnectionLimits
    private let output: OutputQueue
    private let subscriptions: Subscriptions
    // Tests read these two.
    let account: ByteAccount
    let state: Mutex<State>
    /// The connection makes one large reply at a time.
    private let largeReply = AsyncLock()
    /// Gets an element when ``detectStall()`` must start to check.
    private let stallChecks = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// ``stop(_:)`` finishes it.
    private let stopSignal = AsyncStream.makeStream(of: Never.self)

    struct State: Sendable {
        var inFlight: Table
        /// Resumed when nothing is in flight.
        var idleWaiters: [CheckedContinuation<Void, Never>] = []
        /// Why the connection refuses further requests; nil if it accepts them.
        var stopping: RPCError?
        /// What the connection has told the peer about framing.
        var advice = FramingAdvice()
        var stalls: StallDetector
        /// Whether ``detectStall()`` is checking now.
        var isCheckingStalls = false
    }

    /// - Parameter account: counts the bytes of the connection's requests and replies.
    package init<Session>(
        transport: any Transport, dispatcher: Dispatcher<Session>, session: Session, limits: ConnectionLimits,
        account: ByteAccount = ByteAccount(.connection) { .max }
    ) {
        self.transport = transport
        methods = dispatcher.methods(for: session)
        parser = MessageParser(methods: methods, batchLimit: limits.batch)
        self.limits = limits
        self.account = account
        let output = OutputQueue(budget: limits.output, chunk: Self.chunk, held: HeldBytes(account))
        self.output = output
        subscriptions = Subscriptions(
            limit: limits.subscriptions, post: { output.post($0, replacing: $1) }, discard: { output.discard(key: $0) })
        state = Mutex(
            State(
                inFlight: InFlight(window: limits.inFlight, parkingSpace: limits.parked),
                stalls: StallDetector(partialLine: limits.partialLine, unreadOutput: limits.unreadOutput)))
    }

    // MARK: Start and end

    /// Serves the peer, and closes the transport at the end. The end comes when the peer has closed its side and has received
    /// everything, when the peer is gone or stalls, or when the connection has stopped.
    ///
    /// - Returns: how the peer stalled, if the connection ended for that reason.
    package func run() async -> Stall? {
        await withTaskGroup(of: Ending?.self) { tasks in
            tasks.addTask { await self.serve() }
            tasks.addTask { await self.send() }
            tasks.addTask { await self.endStalled() }
            tasks.addTask { await self.endStopped() }
            var stall: Stall?
            for await ending in tasks {
                guard let ending else { continue }
                if case .stalled(let side) = ending { stall = side }
                cancelAll()
                tasks.cancelAll()
            }
            return stall
        }
    }

    /// Why the connection ends.
    private enum Ending: Sendable {
        /// Everything has been sent, or nothing can be sent any more.
        case sent
        case stalled(Stall)
        case stopped
    }

    private func serve() async -> Ending? {
        await read(transport)
        await requestsEnd()
        await subscriptions.ended()
        output.finish()
        return nil
    }

    private func send() async -> Ending? {
        await output.drain(write)
        return .sent
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any Attachment]) async throws {
        note { $0.outputBegan(at: .now) }
        try await transport.write(bytes, attachments)
        note { $0.outputTaken() }
    }

    /// Stops the connection: cancels long requests and ends subscriptions at once, answers the other requests in flight,
    /// refuses new ones, and then ends the connection.
    package func stop(_ reason: RPCError = .shuttingDown) {
        let waiting = state.withLock { state in
            state.stopping = reason
            return state.inFlight.waiting
        }
        subscriptions.endAll()
        for cancel in waiting { cancel() }
        stopSignal.continuation.finish()
    }

    private func endStopped() async -> Ending? {
        for await _ in stopSignal.stream {}
        // A write that waits for the peer ends only when the transport is closed.
        guard !Task.isCancelled else { return .stopped }
        await within(limits.stopTimeout) {
            repeat {
                await self.untilIdle()
                // The peer may have sent a request before it received the reason of the stop.
                try? await Task.sleep(for: limits.stopLinger)
            } while !isIdle && !Task.isCancelled
        }
        return .stopped
    }

    /// Cancels everything that still runs and closes the transport, because the peer is gone or the connection has to end.
    package func cancelAll() {
        let running = state.withLock { state in
            state.stopping = state.stopping ?? .shuttingDown
            // Nobody would receive the replies.
            state.inFlight.dropParked()
            return state.inFlight.running
        }
        subscriptions.endAll()
        output.fail()
        for cancel in running { cancel() }
        // A task that sends a reply may wait for the peer. Only this ends its wait.
        transport.close()
    }

    /// Runs the body. After the time it cancels everything, so that the body has nothing left to wait for.
    private func within(_ time: Duration, _ body: () async -> Void) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { if (try? await Task.sleep(for: time)) != nil { self.cancelAll() } }
            await body()
            tasks.cancelAll()
        }
    }

    /// Whether no request is in flight, no subscription is open, and all output has been sent.
    var isIdle: Bool {
        state.withLock { $0.inFlight.isIdle } && subscriptions.isEmpty && output.waitingBytes == 0
    }

    private func untilIdle() async {
        await requestsEnd()
        await subscriptions.ended()
        await output.wait(untilAtMost: 0)
    }

    /// Waits until no request is in flight.
    private func requestsEnd() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.inFlight.isIdle { state.idleWaiters.append(continuation) }
                return state.inFlight.isIdle
            }
            if isIdle { continuation.resume() }
        }
    }

    /// The number of bytes that wait to be sent.
    var waitingBytes: Int { output.waitingBytes }

    // MARK: Stalls

    /// Records a change, and starts to check for a stall if the connection now waits for the peer.
    private func note(_ change: (inout StallDetector) -> Void) {
        let mustCheck = state.withLock { state in
            change(&state.stalls)
            guard state.stalls.isWaiting, !state.isCheckingStalls else { return false }
            state.isCheckingStalls = true
            return true
        }
        if mustCheck { stallChecks.continuation.yield() }
    }

    private func endStalled() async -> Ending? {
        guard let stall = await detectStall() else { return nil }
        if stall == .unfinishedLine {
            refuseUnfinishedLine()
            await within(limits.errorDelivery) { await output.wait(untilAtMost: 0) }
        }
        return .stalled(stall)
    }

    /// Returns when the peer has stalled; nil if the task is cancelled. A timer runs only while the connection waits for the
    /// peer.
    private func detectStall() async -> Stall? {
        for await _ in stallChecks.stream {
            while let time = nextStallCheck() {
                do { try await Task.sleep(until: time) } catch { return nil }
                guard !Task.isCancelled else { return nil }
                let unread = await transport.unread
                if let stall = state.withLock({ $0.stalls.check(unread: unread, at: .now) }) { return stall }
            }
        }
        return nil
    }

    private func nextStallCheck() -> ContinuousClock.Instant? {
        state.withLock { state in
            let time = state.stalls.nextCheck(after: .now)
            state.isCheckingStalls = time != nil
            return time
        }
    }

    // MARK: Lines

    private func read(_ transport: some Transport) async {
        var framer = LineFramer(limit: limits.line)
        let held = HeldBytes(account)
        do {
            for try await bytes in transport.inbound {
                framer.feed(bytes)
                var isComplete = false
                var effort = 0
                while let event = framer.next() {
                    isComplete = true
                    effort += await take(event)
                    await waitForRoom()
                    // Lets other tasks run, so that a peer that sends fast does not occupy a thread.
                    if effort > Self.turn {
                        effort = 0
                        await Task.yield()
                    }
                }
                keep(&framer, held)
                note { $0.received(isLineComplete: isComplete, isWithinLine: framer.isWithinLine, at: .now) }
            }
            if framer.isUnfinished { refuseUnfinishedLine() }
        } catch {
            // The peer is gone, so nobody receives the replies.
            cancelAll()
        }
    }

    /// Tells the peer that its line does not end, unless it has already been told how to frame messages.
    func refuseUnfinishedLine() {
        if state.withLock({ $0.advice.misframed() }) { output.post(Reply.error(nil, .noLineEnd)) }
    }

    /// Counts the bytes of the unfinished line. If there is no room for them, drops the line up to its end.
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

    private func noteWaiting(_ isReaderWaiting: Bool) {
        note { $0.readerWaits(isReaderWaiting, at: .now) }
    }

    /// Scans a line. ``LongLines`` scans a long one, so that it does not occupy the threads that serve all connections.
    private func scan(_ line: [UInt8]) async throws(JSONFault) -> JSONDocument {
        guard line.count > Self.turn else { return try JSONDocument(scanning: line, depth: limits.nesting) }
        noteWaiting(true)
        defer { noteWaiting(false) }
        return try await LongLines.shared.scan(line, depth: limits.nesting)
    }

    /// - Returns: the effort of the event, about in bytes.
    private func take(_ event: LineFramer.Event) async -> Int {
        switch event {
        case .tooLong:
            output.post(Reply.error(nil, .lineTooLong(limit: limits.line)))
            return Self.lineEffort
        case .misframed(let framing):
            if state.withLock({ $0.advice.misframed() }) { output.post(Reply.error(nil, .misframed(framing))) }
            return Self.lineEffort
        case .line(let line):
            return await take(line)
        }
    }

    /// - Returns: the effort of the line on the threads that serve all connections.
    private func take(_ line: [UInt8]) async -> Int {
        let scanned: Result<JSONDocument, JSONFault>
        do throws(JSONFault) {
            scanned = .success(try await scan(line))
        } catch {
            scanned = .failure(error)
        }
        let isRequest = state.withLock { $0.advice.isGiven } && (try? scanned.get()).map(parser.hasRequest) == true
        switch (state.withLock { $0.advice.line(line, isRequest: isRequest) }, scanned) {
        case (.ignore, _): break
        case (.tell, _): output.post(Reply.error(nil, .severalLines(offset: line.count)))
        case (.serve, .success(let document)): take(document.root)
        case (.serve, .failure(let fault)): output.post(Reply.error(nil, .parse(fault)))
        }
        return Self.lineEffort + (line.count > Self.turn ? 0 : line.count)
    }

    private func take(_ message: JSONNode) {
        switch parser.parse(message, isTaken: { id in state.withLock { $0.inFlight.isTaken(id) } }) {
        case .one(.call(let call)): admit(.single(call))
        case .one(.cancellation(let id)): cancel(id)
        case .one(.error(let id, let error)): output.post(Reply.error(id, error))
        case .one(.nothing): break
        case .batch(let elements): admit(.batch(elements))
        }
    }

    private func cancel(_ id: RequestID) {
        switch state.withLock({ $0.inFlight.cancel(id) }) {
        case .unknown, .noted: break
        case .running(let cancel): cancel()
        case .dropped(let id): output.post(Reply.error(id, .cancelled))
        }
    }

    // MARK: Requests

    /// Starts the work, parks it, or refuses it. The decision is final: admitted work is answered even if the connection stops
    /// afterwards.
    private func admit(_ content: Work.Content) {
        let work = Work(content, HeldBytes(account))
        do throws(RPCError) {
            try work.held.take(work.bytes, isControl: work.isControl)
            try admit(work)
        } catch {
            if let line = refusal(of: work, error) { output.post(line) }
        }
    }

    private func admit(_ work: Work) throws(RPCError) {
        let refusal: RPCError? = state.withLock { state in
            if let stopping = state.stopping { return stopping }
            switch state.inFlight.admit(work.ids, isControl: work.isControl, isBatch: work.isBatch, work) {
            case .start(let unit): start(unit, &state)
            case .park: break
            case .refuse: return .overloaded
            }
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Starts the task of a unit. If the unit is a request, `$/cancelRequest` cancels this task.
    private func start(_ unit: Int, _ state: inout State) {
        let task = Task { await self.serve(unit) }
        guard case .single(let call)? = state.inFlight.content(of: unit)?.content else { return }
        _ = state.inFlight.begin(call.id, of: unit, isLong: call.traits.contains(.long)) { { task.cancel() } }
    }

    /// Serves the unit, and then starts the parked unit that takes its place.
    private func serve(_ unit: Int) async {
        await perform(unit)
        var waiters: [CheckedContinuation<Void, Never>] = []
        state.withLock { state in
            if let next = state.inFlight.finish(unit) { start(next, &state) }
            if state.inFlight.isIdle { swap(&waiters, &state.idleWaiters) }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Serves a unit and releases its work before it returns.
    private func perform(_ unit: Int) async {
        if state.withLock({ $0.inFlight.content(of: unit)?.isLarge == true }) {
            await largeReply.withLock {
                await output.waitForRoom()
                // Taken only now: until then, a cancellation answers the request at once.
                guard let work = take(unit) else { return }
                await performLarge(work, of: unit)
            }
        } else if let work = take(unit) {
            await perform(work, of: unit)
        }
    }

    private func take(_ unit: Int) -> Work? { state.withLock { $0.inFlight.take(unit) } }

    private func performLarge(_ work: Work, of unit: Int) async {
        do throws(RPCError) {
            try work.held.take(ConnectionLimits.largeReplyBytes)
        } catch {
            state.withLock { state in
                for id in work.ids { state.inFlight.answered(id, of: unit) }
            }
            if let line = refusal(of: work, error) { await output.send(line, [], write) }
            return
        }
        await perform(work, of: unit)
    }

    private func perform(_ work: Work, of unit: Int) async {
        // Nobody would receive the reply.
        guard !output.hasFailed else { return }
        var answer: Answer?
        switch work.content {
        case .single(let call): answer = await self.answer(call, of: unit)
        case .batch(let elements): answer = await self.answer(elements, of: unit, work)
        }
        // The output queue counts the reply from here on, so this work counts only its request again.
        work.held.set(work.bytes)
        guard let line = answer?.takeLine() else { return }
        let isSent = await output.send(line, answer?.attachments ?? [], write)
        answer?.afterwards?(isSent)
    }

    /// The reply to a call or a batch, ready to be sent.
    private struct Answer: Sendable {
        private(set) var line: [UInt8]
        let attachments: [any Attachment]
        let afterwards: (@Sendable (_ isSent: Bool) -> Void)?

        init(
            _ line: [UInt8], _ attachments: [any Attachment] = [],
            afterwards: (@Sendable (_ isSent: Bool) -> Void)? = nil
        ) {
            self.line = line
            self.attachments = attachments
            self.afterwards = afterwards
        }

        /// Moves the line out. Without a second owner, the line feed is appended without a copy.
        mutating func takeLine() -> [UInt8] {
            defer { line = [] }
            return line
        }
    }

    private func answer(_ call: Work.Call, of unit: Int) async -> Answer {
        // A connection that stops starts no further long calls.
        let isRefused = state.withLock { $0.stopping != nil && call.traits.contains(.long) }
        return reply(to: call, of: unit, isRefused ? .failure(.cancelled) : await run(call))
    }

    /// Runs a call of a batch in a task of its own, which `$/cancelRequest` can cancel.
    private func answerInBatch(_ call: Work.Call, of unit: Int) async -> Answer {
        let isLong = call.traits.contains(.long)
        let task: Task<Result<Outcome, RPCError>, Never>? = state.withLock { state in
            guard state.stopping == nil else { return nil }
            var task: Task<Result<Outcome, RPCError>, Never>?
            _ = state.inFlight.begin(call.id, of: unit, isLong: isLong) {
                let started = Task { await run(call) }
                task = started
                return { started.cancel() }
            }
            return task
        }
        return reply(to: call, of: unit, await task?.value ?? .failure(.cancelled))
    }

    private func run(_ call: Work.Call) async -> Result<Outcome, RPCError> {
        await methods.run(call.prepared, of: call.method, call.traits, subscriptions)
    }

    /// The reply to a call that has ended. From here on, its id is free.
    private func reply(to call: Work.Call, of unit: Int, _ result: Result<Outcome, RPCError>) -> Answer {
        let stopping = state.withLock { state in
            state.inFlight.answered(call.id, of: unit)
            return state.stopping
        }
        switch result {
        case .success(let outcome):
            return Answer(Reply.result(call.id, outcome.json), outcome.attachments, afterwards: outcome.afterwards)
        case .failure(let error):
            return Answer(Reply.error(call.id, error == .cancelled ? stopping ?? error : error))
        }
    }

    /// The reply to work that is refused; nil if it needs none. Executes the cancellations in a batch nevertheless.
    private func refusal(of work: Work, _ error: RPCError) -> [UInt8]? {
        switch work.content {
        case .single(let call):
            return Reply.error(call.id, error)
        case .batch(let elements):
            var replies: [[UInt8]] = []
            for element in elements {
                switch element {
                case .call(let call): replies.append(Reply.error(call.id, error))
                case .error(let id, let error): replies.append(Reply.error(id, error))
                case .cancellation(let id): cancel(id)
                case .nothing: break
                }
            }
            return replies.isEmpty ? nil : Reply.batch(replies)
        }
    }

    // MARK: Batches

    /// Runs a batch in order and returns its reply, which is one line (JSON-RPC 2.0, section 6); nil if it needs none.
    ///
    /// The bytes of all replies are counted, including errors. Beyond the limit, or if the account has no room, the remaining
    /// calls are refused.
    private func answer(_ elements: [Work.Element], of unit: Int, _ work: Work) async -> Answer? {
        var replies: [[UInt8]] = []
        var afterwards: [@Sendable (_ isSent: Bool) -> Void] = []
        var bytes = 0
        for element in elements {
            var reply: [UInt8]?
            switch element {
            case .nothing:
                break
            case .cancellation(let id):
                cancel(id)
            case .error(let id, let error):
                reply = Reply.error(id, error)
            case .call(let call):
                reply = await self.reply(call, of: unit, refusal(afterReplies: bytes, work), &afterwards)
            }
            guard let reply else { continue }
            bytes += reply.count
            // Twice, because for a moment the replies exist both separately and as one line.
            if !work.isLarge { work.held.set(work.bytes + 2 * bytes) }
            replies.append(reply)
        }
        guard !replies.isEmpty else { return nil }
        return Answer(Reply.batch(replies)) { [afterwards] isSent in
            for told in afterwards { told(isSent) }
        }
    }

    /// Why the next call of a batch must not run; nil if it may.
    private func refusal(afterReplies bytes: Int, _ work: Work) -> RPCError? {
        if bytes > limits.batchReplies { return .batchReplies(limit: limits.batchReplies) }
        return state.withLock { $0.stopping } ?? work.held.fault(isControl: work.isControl)
    }

    private func reply(
        _ call: Work.Call, of unit: Int, _ refusal: RPCError?, _ afterwards: inout [@Sendable (_ isSent: Bool) -> Void]
    ) async -> [UInt8] {
        if let refusal {
            state.withLock { $0.inFlight.answered(call.id, of: unit) }
            return Reply.error(call.id, refusal)
        }
        let answer = await answerInBatch(call, of: unit)
        if let told = answer.afterwards { afterwards.append(told) }
        return answer.line
    }
}
