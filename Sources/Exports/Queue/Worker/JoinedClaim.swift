internal import Postgres
private import Synchronization

/// A claim in the transaction of a start or of an end, so that both take one commit.
///
/// It follows the rules of the claims of the worker's loop, so it may get the job of another tenant whose turn it is. The worker
/// reserves a slot before the claim is sent, and runs the job after the commit. If the answer to the commit is lost, the loop hands
/// back the jobs that the database records for this worker and that the worker does not know.
package final class JoinedClaim: Sendable {
    private enum State {
        case unused
        case sent(at: ContinuousClock.Instant, replacingRun: Bool)
        case answered(LeaseStore.Claim, sentAt: ContinuousClock.Instant, replacingRun: Bool)
    }

    private let worker: Worker
    private let state = Mutex(State.unused)

    init(by worker: Worker) {
        self.worker = worker
    }

    /// Whether a transaction failed because of its claim, and may succeed without one.
    static func hasFailed(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError, error.code == .statement else { return false }
        return ["act-as", "claim"].contains(error.query)
    }

    /// Reserves a slot for the claim.
    ///
    /// - Parameter isReplacing: whether the claim is for the slot of the caller's run, which is over.
    /// - Returns: the tenants that the worker served last; nil if the caller must not claim.
    func reserve(replacingRun isReplacing: Bool) -> [String]? {
        let slots = worker.configuration.slots
        guard let recent = worker.running.reserve(of: slots, replacingRun: isReplacing) else { return nil }
        state.withLock { $0 = .sent(at: .now, replacingRun: isReplacing) }
        return recent
    }

    /// The statement of the claim.
    ///
    /// - Parameter recent: what ``reserve(replacingRun:)`` has returned.
    func query(recent: [String] = []) -> Query {
        worker.leases.claimQuery(worker: worker.id, recent: recent)
    }

    /// Keeps the answer until the transaction has ended.
    func answered(_ claim: LeaseStore.Claim) {
        state.withLock { state in
            guard case .sent(let instant, let isReplacing) = state else { preconditionFailure("a claim was not sent") }
            state = .answered(claim, sentAt: instant, replacingRun: isReplacing)
        }
    }

    /// Starts the run of the job after the transaction is committed. If the claim got no job, signals the worker's loop: the loop may
    /// have ignored a signal that came after the claim, because the slot was reserved.
    ///
    /// - Returns: whether the claim got a job.
    @discardableResult
    func committed() -> Bool {
        let (claim, sentAt, isReplacing): (LeaseStore.Claim, ContinuousClock.Instant, Bool)
        switch end() {
        case .unused: return false
        case .sent: preconditionFailure("a claim has no answer")
        case .answered(let answer, let instant, let isOfRun): (claim, sentAt, isReplacing) = (answer, instant, isOfRun)
        }
        switch claim {
        case .job(let job):
            if worker.running.adopt(job) { worker.wakeSignal.signal() }
            worker.counters.observe(.wait, job.waited)
            worker.launch(Attempt(job, LeaseClock(until: sentAt + worker.leases.lease), of: worker))
            return true
        case .nothing(let tenant): worker.running.miss(.nothing(tenant: tenant), replacingRun: isReplacing)
        case .noTurn: worker.running.miss(.noTurn, replacingRun: isReplacing)
        }
        worker.wakeSignal.signal()
        return false
    }

    /// Frees the slot: the transaction was rolled back, or the answer to its commit was lost.
    func failed(_ error: any Error) {
        let isReplacing: Bool
        switch end() {
        case .unused: return
        case .sent(_, let isOfRun), .answered(_, _, let isOfRun): isReplacing = isOfRun
        }
        let miss: Worker.Running.Miss =
            switch error {
            // The server has rolled the claim back.
            case let error as PostgresError where error.code == .statement:
                .failed(becauseOfClaim: Self.hasFailed(error))
            case is PostgresError, is CancellationError: .unknown
            default: .failed(becauseOfClaim: false)
            }
        worker.running.miss(miss, replacingRun: isReplacing)
        worker.wakeSignal.signal()
    }

    private func end() -> State {
        state.withLock { state in
            defer { state = .unused }
            return state
        }
    }
}

/// The transaction of a start has inserted no job, but its joined claim is committed, and may have got another job. The start can be
/// repeated without a claim.
struct NothingInserted: Error {}
