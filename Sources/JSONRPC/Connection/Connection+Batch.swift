private import Synchronization

extension Connection {
    /// Runs a batch in order and answers it in one line (JSON-RPC 2.0, section 6).
    ///
    /// Its replies are counted, errors too: past the limit what is left is not run.
    func answer(_ elements: [Element], of unit: Int) async {
        var replies: [[UInt8]] = []
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
                reply = await self.reply(call, of: unit, isWithinLimit: bytes <= limits.batchReplies)
            }
            guard let reply else { continue }
            bytes += reply.count
            replies.append(reply)
        }
        guard !replies.isEmpty else { return }
        await output.send(Reply.batch(replies))
    }

    private func reply(_ call: Call, of unit: Int, isWithinLimit: Bool) async -> [UInt8] {
        let refusal: RPCError?
        if call.method.traits.contains(.alone) {
            refusal = .invalidRequest("\(call.method.name) is not taken in a batch. Send it on a line of its own.")
        } else if !isWithinLimit {
            refusal = .batchReplies(limit: limits.batchReplies)
        } else {
            refusal = state.withLock { $0.stopping }
        }
        if let refusal {
            state.withLock { $0.inFlight.answered(call.id, of: unit) }
            return Reply.error(call.id, refusal)
        }
        switch await run(call, of: unit) {
        case .success(let outcome):
            outcome.afterwards?()
            return Reply.result(call.id, outcome.json)
        case .failure(let error):
            return Reply.error(call.id, error)
        }
    }
}
