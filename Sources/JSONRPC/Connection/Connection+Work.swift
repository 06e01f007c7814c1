private import Synchronization

extension Connection {
    /// Begins the work, lets it wait, or refuses it. Decided once: what has been admitted is served, whoever stops the connection
    /// then.
    func admit(_ work: Work<Session, Attachment>, _ group: inout DiscardingTaskGroup) {
        let (admission, refusal) = state.withLock { state in
            if let stopping = state.stopping { return (Table.Admission.refuse, stopping) }
            let admission = state.inFlight.admit(work.ids, isControl: work.isControl, isBatch: work.isBatch, work)
            return (admission, .overloaded)
        }
        switch admission {
        case .start(let unit): group.addTask { await self.serve(unit, work) }
        case .park: break
        case .refuse: refuse(work, refusal)
        }
    }

    /// Serves the work and then, one after the other, what was parked behind it.
    private func serve(_ unit: Int, _ work: Work<Session, Attachment>) async {
        var next: (number: Int, content: Work<Session, Attachment>)? = (unit, work)
        while let (unit, work) = next {
            if work.isLarge {
                await largeReply.withLock {
                    await output.waitForRoom()
                    await perform(work, of: unit)
                }
            } else {
                await perform(work, of: unit)
            }
            next = state.withLock { $0.inFlight.finish(unit) }
        }
    }

    private func perform(_ work: Work<Session, Attachment>, of unit: Int) async {
        // Nobody would have the answer.
        guard !output.hasFailed else { return }
        switch work {
        case .single(let call): await answer(call, of: unit)
        case .batch(let elements): await answer(elements, of: unit)
        }
    }

    private func answer(_ call: Call, of unit: Int) async {
        switch await run(call, of: unit) {
        case .success(let outcome):
            await output.send(Reply.result(call.id, outcome.json), outcome.attachments)
            outcome.afterwards?()
        case .failure(let error):
            await output.send(Reply.error(call.id, error))
        }
    }

    /// Runs the call in a task of its own, which `$/cancelRequest` can reach. Its id is free when this returns.
    func run(_ call: Call, of unit: Int) async -> Result<Outcome<Attachment>, RPCError> {
        let isLong = call.method.traits.contains(.long)
        let task: Running? = state.withLock { state in
            // Of what only waits no more is begun.
            if isLong, state.stopping != nil { return nil }
            return state.inFlight.begin(call.id, of: unit, isLong: isLong) {
                Task { await dispatcher.call(call.method, call.request, session: session, subscriptions: subscriptions) }
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

    /// Answers work that has not been admitted.
    private func refuse(_ work: Work<Session, Attachment>, _ error: RPCError) {
        switch work {
        case .single(let call):
            output.post(Reply.error(call.id, error))
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
            if !replies.isEmpty { output.post(Reply.batch(replies)) }
        }
    }
}
