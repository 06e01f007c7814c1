private import Synchronization

extension Connection {
    /// Runs a batch in order and gives its answer, one line (JSON-RPC 2.0, section 6); nil where it wants none.
    ///
    /// Its replies are counted, errors too: past the limit, or without room for more, what is left is not run.
    func answer(_ elements: [Element], of unit: Int, _ work: Work<Session, Attachment>) async -> Answer? {
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
            // Twice: for a moment they are there apart and in one line.
            if !work.isLarge { work.held.set(work.bytes + 2 * bytes) }
            replies.append(reply)
        }
        guard !replies.isEmpty else { return nil }
        return Answer(Reply.batch(replies)) { [afterwards] isSent in
            for told in afterwards { told(isSent) }
        }
    }

    private func refusal(afterReplies bytes: Int, _ work: Work<Session, Attachment>) -> RPCError? {
        if bytes > limits.batchReplies { return .batchReplies(limit: limits.batchReplies) }
        return state.withLock { $0.stopping } ?? work.held.fault(isControl: work.isControl)
    }

    private func reply(
        _ call: Call, of unit: Int, _ refusal: RPCError?, _ afterwards: inout [@Sendable (_ isSent: Bool) -> Void]
    ) async -> [UInt8] {
        if let refusal {
            state.withLock { $0.inFlight.answered(call.id, of: unit) }
            return Reply.error(call.id, refusal)
        }
        let answer = await answer(call, of: unit)
        if let told = answer.afterwards { afterwards.append(told) }
        return answer.line
    }
}
