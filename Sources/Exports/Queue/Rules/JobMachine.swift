/// The states of a job. ``JobMachine`` defines the transitions.
package enum JobState: String, Sendable, CaseIterable {
    /// The job waits for a worker.
    case queued
    /// A worker runs an attempt of the job.
    case running
    /// The workbook is finished.
    case succeeded
    /// The job failed, and no further attempt follows.
    case failed
    /// A caller cancelled the job.
    case cancelled
    /// The workbook has expired or was deleted.
    case expired

    /// Whether only expiry and deletion can still change the state.
    package var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .succeeded, .failed, .cancelled, .expired: true
        }
    }

    /// Whether an idempotency key is still bound to the job: as long as the job has a workbook, or may get one.
    ///
    /// A workbook that has expired by the clock counts as gone before a worker changes the state, unless it is held.
    package var keepsKey: Bool {
        switch self {
        case .queued, .running, .succeeded: true
        case .failed, .cancelled, .expired: false
        }
    }
}

/// The rules of the queue for one job, as a pure value: when an event may change the job, and how.
///
/// It holds the columns of the job and of its lease that the rules depend on. The statements of ``JobStore``, ``LeaseStore``
/// and ``QueueMaintenance`` have the same guards in their WHERE clauses. Tests explore all orders of events here, and play
/// random orders to PostgreSQL to compare the rows.
struct JobMachine: Hashable, Sendable {
    private(set) var state = JobState.queued
    /// The fencing token. Each claim raises it; it never falls.
    private(set) var epoch = 0
    /// Attempts so far. An attempt that was handed back does not count.
    private(set) var attempt = 0
    /// Leases that expired.
    private(set) var crashes = 0
    /// Workers whose session ended.
    private(set) var losses = 0
    private(set) var isCancelRequested = false
    /// The epoch whose file the row names; after expiry, until that file is removed.
    private(set) var archiveEpoch: Int?
    private(set) var isHeld = false
    /// The lease of the worker that runs the job; nil unless it runs.
    private(set) var lease: Lease?

    enum Lease: Hashable, Sendable {
        case valid
        /// By the database's clock.
        case expired
    }

    /// A job fails when so many of its leases have expired.
    static let maxCrashes = 3
    /// A job fails when it has lost so many workers, in case it is the job that ends them.
    static let maxLosses = 6

    /// What callers, workers, sweeps and the disk do to a job.
    enum Event: Hashable, Sendable {
        /// A worker claims the job.
        case claimed
        /// The worker of the epoch renews its lease.
        case renewed(epoch: Int)
        /// The lease expires.
        case leaseRanOut
        /// The worker of the epoch ends its attempt.
        ///
        /// - Parameter isTooLate: the retry policy of the end allows no further attempt.
        case ended(epoch: Int, AttemptEnd, isTooLate: Bool = false)
        /// A sweep takes the job from its worker.
        case swept(SweepReason)
        /// A caller asks to cancel the job.
        case cancelRequested
        /// A caller deletes the workbook.
        case deleted
        /// The workbook expires.
        case retired
        /// The file of the epoch was removed from the disk.
        case fileRemoved(epoch: Int)
        /// A legal hold begins or ends.
        case held(Bool)
    }

    /// A new job.
    init() {}

    /// A job as its row and its lease are.
    init(
        state: JobState, epoch: Int, attempt: Int, crashes: Int, losses: Int, isCancelRequested: Bool, archiveEpoch: Int?,
        isHeld: Bool,
        lease: Lease?
    ) {
        self.state = state
        self.epoch = epoch
        self.attempt = attempt
        self.crashes = crashes
        self.losses = losses
        self.isCancelRequested = isCancelRequested
        self.archiveEpoch = archiveEpoch
        self.isHeld = isHeld
        self.lease = lease
    }

    /// Applies an event.
    ///
    /// - Returns: false if the rules refuse the event; nothing has changed then.
    mutating func apply(_ event: Event) -> Bool {
        switch event {
        case .claimed:
            guard state == .queued else { return false }
            (state, epoch, attempt, lease) = (.running, epoch + 1, attempt + 1, .valid)
        case .renewed(let epoch):
            guard isHolder(epoch, needsLease: true) else { return false }
            lease = .valid
        case .leaseRanOut:
            guard lease == .valid else { return false }
            lease = .expired
        case .ended(let epoch, let end, let isTooLate):
            guard isHolder(epoch, needsLease: end.needsLease) else { return false }
            if case .succeeded = end { archiveEpoch = epoch }
            if case .cancelled = end { isCancelRequested = true }
            leave(end.exit, isTooLate: isTooLate)
        case .swept(let reason):
            guard state == .running else { return false }
            switch reason {
            case .leaseOver: guard lease == .expired else { return false }
            case .leaseMissing: guard lease == nil else { return false }
            case .sessionOver: guard lease != nil else { return false }
            case .overdue: break
            }
            leave(reason.exit)
        case .cancelRequested:
            guard !state.isFinal, !isCancelRequested else { return false }
            isCancelRequested = true
            if state == .queued { state = .cancelled }
        case .deleted, .retired:
            guard state == .succeeded, !isHeld else { return false }
            state = .expired
        case .fileRemoved(let epoch):
            guard state == .expired, archiveEpoch == epoch else { return false }
            archiveEpoch = nil
        case .held(let isHeld):
            guard self.isHeld != isHeld, state != .expired || !isHeld else { return false }
            self.isHeld = isHeld
        }
        return true
    }

    private func isHolder(_ epoch: Int, needsLease: Bool) -> Bool {
        epoch == self.epoch && state == .running && (!needsLease || lease == .valid)
    }

    private mutating func leave(_ exit: RunExit, isTooLate: Bool = false) {
        attempt += exit.attempts
        crashes += exit.crashes
        losses += exit.losses
        lease = nil
        switch exit.target {
        case .final(let next): state = next
        case .queue(let condition):
            let isFailed =
                switch condition {
                case .never: false
                case .always: true
                case .afterCrashes: crashes >= Self.maxCrashes
                case .afterLosses: losses >= Self.maxLosses
                case .whenTooLate: isTooLate
                }
            state = isCancelRequested ? .cancelled : isFailed ? .failed : .queued
        }
    }
}
