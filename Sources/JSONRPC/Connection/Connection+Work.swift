private import Synchronization

extension Connection {
    /// Begins the work, lets it wait, or refuses it. The decision is final: admitted work is served even if the
    /// connection stops then.
    func admit(_ content: Work<Session, Attachment>.Content, _ group: inout DiscardingTaskGroup) {
        let work = Work(content: content, held: HeldBytes(account))
        do throws(RPCError) {
            try work.held.take(work.bytes, isControl: work.isControl)
            if let unit = try begin(work) { group.addTask { await self.serve(unit) } }
        } catch {
            if let line = refusal(of: work, error) { output.post(line) }
        }
    }

    /// - Returns: nil where the work waits.
    private func begin(_ work: Work<Session, Attachment>) throws(RPCError) -> Int? {
        let (admission, refusal) = state.withLock { state in
            if let stopping = state.stopping { return (Table.Admission.refuse, stopping) }
            let admission = state.inFlight.admit(work.ids, isControl: work.isControl, isBatch: work.isBatch, work)
            return (admission, .overloaded)
        }
        switch admission {
        case .start(let unit): return unit
        case .park: return nil
        case .refuse: throw refusal
        }
    }

    /// Serves the unit and then, one after the other, those that were parked behind it.
    private func serve(_ unit: Int) async {
        var next: Int? = unit
        while let unit = next {
            await perform(unit)
            next = state.withLock { $0.inFlight.finish(unit) }
        }
    }

    /// Nothing of the work is left when this returns.
    private func perform(_ unit: Int) async {
        if state.withLock({ $0.inFlight.content(of: unit)?.isLarge == true }) {
            await largeReply.withLock {
                await output.waitForRoom()
                // Not before: until its turn comes a cancellation answers it at once.
                guard let work = take(unit) else { return }
                await performLarge(work, of: unit)
            }
        } else if let work = take(unit) {
            await perform(work, of: unit)
        }
    }

    private func take(_ unit: Int) -> Work<Session, Attachment>? { state.withLock { $0.inFlight.take(unit) } }

    private func performLarge(_ work: Work<Session, Attachment>, of unit: Int) async {
        do throws(RPCError) {
            try work.held.take(ConnectionLimits.largeReplyBytes)
        } catch {
            state.withLock { state in
                for id in work.ids { state.inFlight.answered(id, of: unit) }
            }
            if let line = refusal(of: work, error) { await output.send(line) }
            return
        }
        await perform(work, of: unit)
    }

    private func perform(_ work: Work<Session, Attachment>, of unit: Int) async {
        // Nobody would have the answer.
        guard !output.hasFailed else { return }
        var answer: Answer?
        switch work.content {
        case .single(let call): answer = await self.answer(call, of: unit)
        case .batch(let elements): answer = await self.answer(elements, of: unit, work)
        }
        // From here on it is among the bytes that wait for the peer.
        work.held.set(work.bytes)
        guard let line = answer?.takeLine() else { return }
        let isSent = await output.send(line, answer?.attachments ?? [])
        answer?.afterwards?(isSent)
    }

    /// What a call has come to, ready to be sent.
    struct Answer: Sendable {
        private(set) var line: [UInt8]
        let attachments: [Attachment]
        let afterwards: (@Sendable (_ isSent: Bool) -> Void)?

        init(_ line: [UInt8], _ attachments: [Attachment] = [], afterwards: (@Sendable (_ isSent: Bool) -> Void)? = nil) {
            self.line = line
            self.attachments = attachments
            self.afterwards = afterwards
        }

        /// The line, of which nothing is kept here.
        mutating func takeLine() -> [UInt8] {
            defer { line = [] }
            return line
        }
    }

    func answer(_ call: Call, of unit: Int) async -> Answer {
        switch await run(call, of: unit) {
        case .success(let outcome):
            Answer(Reply.result(call.id, outcome.json), outcome.attachments, afterwards: outcome.afterwards)
        case .failure(let error):
            Answer(Reply.error(call.id, error))
        }
    }

    /// Runs the call in a task of its own, which `$/cancelRequest` can reach. Its id is free when this returns.
    private func run(_ call: Call, of unit: Int) async -> Result<Outcome<Attachment>, RPCError> {
        let isLong = call.method.traits.contains(.long)
        let task: Running? = state.withLock { state in
            // Of what only waits no more is begun.
            if isLong, state.stopping != nil { return nil }
            return state.inFlight.begin(call.id, of: unit, isLong: isLong) {
                Task { await dispatcher.call(call.method, call.prepared, session: session, subscriptions: subscriptions) }
            }
        }
        var result: Result<Outcome<Attachment>, RPCError> = .failure(.cancelled)
        if let task {
            result = await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
        let stopping = state.withLock { state in
            state.inFlight.answered(call.id, of: unit)
            return state.stopping
        }
        if case .failure(.cancelled) = result, let stopping { return .failure(stopping) }
        return result
    }

    /// The answer to work that is not run; nil where it wants none. Cancellations in a batch are carried out all the same.
    private func refusal(of work: Work<Session, Attachment>, _ error: RPCError) -> [UInt8]? {
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
}
