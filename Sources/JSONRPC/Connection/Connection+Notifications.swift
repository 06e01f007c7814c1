private import Synchronization

extension Connection {
    /// `$/cancelRequest` is the only one that does anything; others are ignored, as JSON-RPC wants it.
    func notification(_ request: Request) -> Element {
        guard request.method == "$/cancelRequest",
            let member = request.params?.members.first(where: { $0.name.isString("id") }), let id = RequestID(member.value)
        else { return .nothing }
        return .cancellation(id)
    }

    func cancel(_ id: RequestID) {
        switch state.withLock({ $0.inFlight.cancel(id) }) {
        case .unknown, .noted: break
        case .running(let task): task.cancel()
        case .dropped(let id): output.post(Reply.error(id, .cancelled))
        }
    }
}
