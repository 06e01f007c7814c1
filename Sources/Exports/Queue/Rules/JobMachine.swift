/// The rules of the queue for one job, as a pure value: what each statement of the store may change, and what it makes of it.
///
/// Holds those columns of a row, and of its lease, that the rules go by. The statements of ``JobStore`` and ``LeaseStore``
/// carry the same guards in their WHERE clauses; tests walk through every order of events here, and play the same orders to
/// PostgreSQL to see that the row comes out alike.
package struct JobMachine: Hashable, Sendable {
    package private(set) var state = JobState.queued
    /// The fencing token: rises with each claim, never falls.
    package private(set) var epoch = 0
    /// Attempts that count: one that was handed back does not.
    package private(set) var attempt = 0
    /// Leases that were lost.
    package private(set) var crashes = 0
    package private(set) var isCancelRequested = false
    /// The epoch whose file the row promises, or has promised until the file is removed.
    package private(set) var archiveEpoch: Int?
    package private(set) var isHeld = false
    /// Of the worker that has claimed it; nil unless it runs.
    package private(set) var lease: Lease?

    package enum Lease: Hashable, Sendable {
        case lasting
        /// By the database's clock.
        case over
    }

    /// Lost leases after which a job is given up.
    package static let maxCrashes = 3

    package enum Event: Hashable, Sendable {
        /// A worker takes the job.
        case claimed
        /// The worker of the epoch says that it is alive.
        case renewed(epoch: Int)
        /// Time passes without a word of the worker.
        case leaseRanOut
        /// The worker of the epoch ends its attempt.
        case ended(epoch: Int, End)
        /// Whoever claims next finds the lease over.
        case swept
        /// Whoever claims next finds an attempt whose deadline passed a lease ago, and whose worker has not ended it.
        case sweptOverdue
        case cancelRequested
        /// Its owner does not want the file any more.
        case deleted
        /// The file's time is up.
        case retired
        /// The file of the epoch has been removed from the disk.
        case fileRemoved(epoch: Int)
        /// A legal hold begins or ends.
        case held(Bool)
    }

    /// How a worker ends an attempt.
    package enum End: Hashable, Sendable, CaseIterable {
        case succeeded
        case failed
        case cancelled
        /// The worker stops; the attempt does not count.
        case handedBack
        /// The worker has lost its lease, and finds its epoch unchanged.
        case returned
        /// The same, long after the first attempt.
        case returnedTooLong
        case retried
        /// Failed for a reason that may pass, but long after the first attempt.
        case retriedTooLong
    }

    // MARK: Guards

    /// What holds a worker's writes to the attempt that is its own. Tests take one away to see that it is needed.
    package struct Guards: OptionSet, Sendable {
        package let rawValue: Int
        package static let epoch = Guards(rawValue: 1)
        package static let state = Guards(rawValue: 2)
        package static let lease = Guards(rawValue: 4)
        package static let all: Guards = [.epoch, .state, .lease]

        package init(rawValue: Int) {
            self.rawValue = rawValue
        }
    }

    /// A job that has just been asked for.
    package init() {}

    /// A job as its row and its lease are.
    package init(
        state: JobState, epoch: Int, attempt: Int, crashes: Int, isCancelRequested: Bool, archiveEpoch: Int?, isHeld: Bool,
        lease: Lease?
    ) {
        self.state = state
        self.epoch = epoch
        self.attempt = attempt
        self.crashes = crashes
        self.isCancelRequested = isCancelRequested
        self.archiveEpoch = archiveEpoch
        self.isHeld = isHeld
        self.lease = lease
    }

    /// Applies an event.
    ///
    /// - Returns: false where the rules refuse it; nothing has changed then.
    package mutating func apply(_ event: Event, guards: Guards = .all) -> Bool {
        switch event {
        case .claimed:
            guard state == .queued else { return false }
            (state, epoch, attempt, lease) = (.running, epoch + 1, attempt + 1, .lasting)
        case .renewed(let epoch):
            guard isHolder(epoch, needsLease: true, guards) else { return false }
            lease = .lasting
        case .leaseRanOut:
            guard lease == .lasting else { return false }
            lease = .over
        case .ended(let epoch, let end):
            // To hand back takes no lease: whoever comes back and finds the epoch unchanged has missed nothing.
            guard isHolder(epoch, needsLease: end.needsLease, guards) else { return false }
            apply(end)
        case .swept:
            guard state == .running, lease != .lasting else { return false }
            crashes += 1
            leave(isCancelRequested ? .cancelled : crashes >= Self.maxCrashes ? .failed : .queued)
        case .sweptOverdue:
            guard state == .running else { return false }
            leave(isCancelRequested ? .cancelled : .failed)
        case .cancelRequested:
            guard !state.isFinal, !isCancelRequested else { return false }
            isCancelRequested = true
            if state == .queued { leave(.cancelled) }
        case .deleted, .retired:
            guard state == .succeeded, !isHeld else { return false }
            leave(.expired)
        case .fileRemoved(let epoch):
            guard state == .expired, archiveEpoch == epoch else { return false }
            archiveEpoch = nil
        case .held(let isHeld):
            guard self.isHeld != isHeld, state != .expired || !isHeld else { return false }
            self.isHeld = isHeld
        }
        return true
    }

    /// Whether an idempotency key stands for the job: while there is, or may yet be, a workbook. A file whose time is up counts as
    /// gone before a worker says so, unless it is held.
    package var keepsKey: Bool {
        switch state {
        case .queued, .running, .succeeded: true
        case .failed, .cancelled, .expired: false
        }
    }

    private func isHolder(_ epoch: Int, needsLease: Bool, _ guards: Guards) -> Bool {
        (!guards.contains(.epoch) || epoch == self.epoch) && (!guards.contains(.state) || state == .running)
            && (!needsLease || !guards.contains(.lease) || lease == .lasting)
    }

    private mutating func apply(_ end: End) {
        switch end {
        case .succeeded:
            archiveEpoch = epoch
            leave(.succeeded)
        case .failed:
            leave(.failed)
        case .cancelled:
            isCancelRequested = true
            leave(.cancelled)
        case .handedBack:
            attempt -= 1
            leave(isCancelRequested ? .cancelled : .queued)
        case .retried, .returned:
            leave(isCancelRequested ? .cancelled : .queued)
        case .retriedTooLong, .returnedTooLong:
            leave(isCancelRequested ? .cancelled : .failed)
        }
    }

    private mutating func leave(_ next: JobState) {
        (state, lease) = (next, nil)
    }
}

extension JobMachine.End {
    /// Whether it takes a lease that lasts. To give a job back does not.
    package var needsLease: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .retried, .retriedTooLong: true
        case .handedBack, .returned, .returnedTooLong: false
        }
    }
}
