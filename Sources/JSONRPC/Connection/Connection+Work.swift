private import Synchronization

extension Connection {
    func admit(_ work: Work<Session, Attachment>, _ group: inout DiscardingTaskGroup) {
        let admission = state.withLock { state in
            guard state.stopping == nil else { return InFlight.Admission.start }
            let admission = state.inFlight.admit(work.unit, isControl: work.isControl)
            if admission == .park { state.parked[work.unit] = work }
            return admission
        }
        switch admission {
        case .start where state.withLock({ $0.stopping }) == nil:
            group.addTask { await self.serve(work) }
        case .start:
            refuse(work, state.withLock { $0.stopping } ?? .shuttingDown)
        case .refuse:
            refuse(work, .overloaded)
        case .park:
            break
        }
    }

    /// Serves the work and then, one after the other, what was parked behind it.
    private func serve(_ first: Work<Session, Attachment>) async {
        var next: Work<Session, Attachment>? = first
        while let work = next {
            if work.isLarge {
                await largeReply.withLock {
                    await output.waitForRoom()
                    await perform(work)
                }
            } else {
                await perform(work)
            }
            next = state.withLock { state in
                state.inFlight.finish(isControl: work.isControl).flatMap { state.parked.removeValue(forKey: $0) }
            }
        }
    }

    private func perform(_ work: Work<Session, Attachment>) async {
        switch work.content {
        case .single(let call): await answer(call)
        case .batch(let elements): await answer(elements)
        }
    }

    private func answer(_ call: Call) async {
        switch await run(call) {
        case .success(let outcome):
            await output.send(Reply.result(call.id, outcome.json), outcome.attachments)
            outcome.afterwards?()
        case .failure(let error):
            await output.send(Reply.error(call.id, error))
        }
    }

    /// Runs the call in a task of its own, which `$/cancelRequest` can reach. Its id is free when this returns.
    func run(_ call: Call) async -> Result<Outcome<Attachment>, RPCError> {
        let task = Task {
            await dispatcher.call(call.method, call.request, session: session, subscriptions: subscriptions)
        }
        let isUnwanted = state.withLock { state in
            let isLong = call.method.traits.contains(.long)
            state.tasks[call.id] = (task, isLong)
            return state.stopping != nil && isLong || state.cancelled.contains(call.id)
        }
        if isUnwanted { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        let stopping = state.withLock { state in
            state.tasks[call.id] = nil
            state.cancelled.remove(call.id)
            state.inFlight.release(call.id)
            return state.stopping
        }
        if case .failure(.cancelled) = result, let stopping { return .failure(stopping) }
        return result
    }

    private func refuse(_ work: Work<Session, Attachment>, _ error: RPCError) {
        switch work.content {
        case .single(let call):
            state.withLock { $0.inFlight.release(call.id) }
            output.post(Reply.error(call.id, error))
        case .batch(let elements):
            var replies: [[UInt8]] = []
            for element in elements {
                switch element {
                case .call(let call):
                    state.withLock { $0.inFlight.release(call.id) }
                    replies.append(Reply.error(call.id, error))
                case .error(let id, let error):
                    replies.append(Reply.error(id, error))
                case .notification(let request):
                    notify(request)
                }
            }
            if !replies.isEmpty { output.post(Reply.batch(replies)) }
        }
    }
}
