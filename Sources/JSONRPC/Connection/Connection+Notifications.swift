private import Synchronization

extension Connection {
    /// `$/cancelRequest` is the only one that does anything; others are ignored, as JSON-RPC wants it.
    func notify(_ request: Request) {
        guard request.method == "$/cancelRequest", request.isByName,
            case .object(let members)? = try? JSONScanner.scan(request.params, depth: limits.nesting),
            let member = members.first(where: { $0.name == "id" }),
            let id = RequestID(json: request.params[member.value])
        else { return }
        let (task, parked) = state.withLock { state in
            guard let unit = state.inFlight.unit(of: id) else { return (Running?.none, Call?.none) }
            if case .single(let call)? = state.parked[unit]?.content, state.inFlight.unpark(unit) {
                state.parked[unit] = nil
                state.inFlight.release(id)
                return (nil, call)
            }
            // Between its admission and its first step a request has no task yet.
            if state.tasks[id] == nil { state.cancelled.insert(id) }
            return (state.tasks[id]?.task, nil)
        }
        task?.cancel()
        if let parked { output.post(Reply.error(parked.id, .cancelled)) }
    }

    private typealias Running = Task<Result<Outcome<Attachment>, RPCError>, Never>
}
