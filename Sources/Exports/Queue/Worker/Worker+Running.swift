private import Synchronization

extension Worker {
    /// What the loop, the runs and the joined claims of a worker share: slots, jobs, tenants served last, and whether claims may begin. A
    /// run that hangs may outlive its epoch, so one job may have two runs.
    final class Running: Sendable {
        private let state = Mutex(State())

        private struct State {
            /// Slots in use: by runs, or reserved for claims.
            var slots = 0
            /// Runs about to end whose slots joined claims have reserved. `slots` counts such a slot twice, for the run and for the claim.
            var replaced = 0
            var own: [JobID: Set<Int>] = [:]
            var hasRequeued = false
            var recent = RecentTenants()
            /// Jobs claimed since the lower bound of places was last moved up.
            var claims = 0
            /// Joined claims whose transaction has not ended.
            var joined = 0
            /// The answer to a claim was lost, so the database may record a job that the worker does not know.
            var hasUnknown = false
            /// A joined claim made its transaction fail, and no claim of the loop has succeeded since.
            var hasFailed = false
            /// Joined claims may begin until this time; nil while the worker may not claim.
            var mayClaimUntil: ContinuousClock.Instant?
            /// When the current wait of the loop ends if no signal comes.
            var nextTurn = ContinuousClock.now

            mutating func begin(_ job: ClaimedJob) {
                own[job.id, default: []].insert(job.epoch)
                recent.insert(job.tenantKey)
                claims += 1
            }

            var used: Int { slots - replaced }

            func hasRoom(of count: Int) -> Bool { used < count }
        }

        /// Slots in use; a slot that a joined claim has reserved for its own run counts twice.
        var count: Int { state.withLock { $0.slots } }
        /// The same, each slot once.
        var used: Int { state.withLock { $0.used } }
        /// Jobs whose rows this worker may change.
        var own: [JobID] { state.withLock { Array($0.own.keys) } }
        /// The tenants that this worker served last.
        var recent: RecentTenants { state.withLock { $0.recent } }

        /// Whether a worker with this number of slots has a free one.
        func hasRoom(of count: Int) -> Bool { state.withLock { $0.hasRoom(of: count) } }

        // MARK: Runs

        /// Reserves a slot for a claim of the loop.
        ///
        /// - Parameter count: the worker's slots.
        /// - Returns: false if all of them are in use.
        func reserve(of count: Int) -> Bool {
            state.withLock { state in
                guard state.hasRoom(of: count) else { return false }
                state.slots += 1
                return true
            }
        }

        /// Records the job that the loop has claimed for its reserved slot.
        func begin(_ job: ClaimedJob) {
            state.withLock { $0.begin(job) }
        }

        /// The end is written, or never will be.
        func settle(_ job: ClaimedJob) {
            state.withLock { state in
                state.own[job.id]?.remove(job.epoch)
                if state.own[job.id]?.isEmpty == true { state.own[job.id] = nil }
            }
        }

        /// Frees a slot: its run has ended, or its claim got no job.
        ///
        /// - Parameter isReplaced: whether a joined claim has taken over the slot of the run.
        func end(isReplaced: Bool = false) {
            state.withLock { state in
                state.slots -= 1
                if isReplaced { state.replaced -= 1 }
            }
        }

        /// Records that a job of this worker may wait for another attempt, so that the loop polls.
        func noteRequeued() {
            state.withLock { $0.hasRequeued = true }
        }

        /// Returns whether ``noteRequeued()`` was called since the last call of this function.
        func takeRequeued() -> Bool {
            state.withLock { state in
                defer { state.hasRequeued = false }
                return state.hasRequeued
            }
        }

        // MARK: The loop

        /// The maximum wait of the loop while there are tenants to settle.
        private static let busyWait: Duration = .seconds(1)

        /// Records that the loop begins to wait.
        ///
        /// - Parameter time: the wait that the loop has chosen.
        /// - Returns: the wait, at most a second while there are tenants to settle. A joined claim that gets a job later signals the loop
        ///   if more than that is left.
        func beginWait(_ time: Duration) -> Duration {
            state.withLock { state in
                let time = state.recent.keys.isEmpty ? time : min(time, Self.busyWait)
                state.nextTurn = .now + time
                return time
            }
        }

        /// Adds a tenant that has nothing to claim.
        ///
        /// - Returns: whether the tenant is new.
        func insertRecent(nothingOf tenant: String) -> Bool {
            state.withLock { $0.recent.insert(tenant, hasNothing: true) }
        }

        /// Removes the tenants that a poll has settled.
        func settled(_ tenants: RecentTenants) {
            state.withLock { $0.recent.subtract(tenants) }
        }

        /// Returns whether it is time to move the lower bound of places up, and then counts from 0 again; see ``Turns``.
        func takeRaise() -> Bool {
            state.withLock { state in
                guard state.claims >= Turns.claimsForRaise else { return false }
                state.claims = 0
                return true
            }
        }

        /// Records that a claim of the loop has succeeded, so joined claims may begin again.
        func noteClaimed() {
            state.withLock { $0.hasFailed = false }
        }

        // MARK: Joined claims

        /// Lets joined claims begin until a time; nil: none may begin.
        func allowClaims(until end: ContinuousClock.Instant?) {
            state.withLock { $0.mayClaimUntil = end }
        }

        /// Reserves a slot for a joined claim.
        ///
        /// - Parameters:
        ///   - count: the worker's slots.
        ///   - isReplacing: whether the claim is for the slot of a run that is over. If the worker has a free slot, the loop claims instead.
        /// - Returns: the tenants that were served last; nil if the caller must not claim.
        func reserve(of count: Int, replacingRun isReplacing: Bool) -> [String]? {
            state.withLock { state in
                guard !state.hasUnknown, !state.hasFailed, !state.recent.isFull, let end = state.mayClaimUntil, .now < end,
                    isReplacing != state.hasRoom(of: count)
                else { return nil }
                state.slots += 1
                state.joined += 1
                if isReplacing { state.replaced += 1 }
                return state.recent.keys
            }
        }

        /// Records the job that a joined claim got for its slot.
        ///
        /// - Returns: whether the caller must signal the loop.
        func adopt(_ job: ClaimedJob) -> Bool {
            state.withLock { state in
                state.joined -= 1
                state.begin(job)
                return state.claims >= Turns.claimsForRaise || state.hasUnknown && state.joined == 0
                    || ContinuousClock.now.duration(to: state.nextTurn) > Self.busyWait
            }
        }

        /// What became of a joined claim that got no job.
        enum Miss {
            /// It was this tenant's turn, but the tenant had no job to claim.
            case nothing(tenant: String)
            case noTurn
            /// Its transaction was rolled back, because of the claim or for another reason.
            case failed(becauseOfClaim: Bool)
            /// Its transaction may have been committed.
            case unknown
        }

        /// Frees the slot of a joined claim that got no job. The caller must signal the loop afterwards.
        func miss(_ miss: Miss, replacingRun isReplacing: Bool) {
            state.withLock { state in
                state.joined -= 1
                state.slots -= 1
                if isReplacing { state.replaced -= 1 }
                switch miss {
                case .nothing(let tenant): state.recent.insert(tenant, hasNothing: true)
                case .noTurn: break
                case .failed(let isBecauseOfClaim): state.hasFailed = state.hasFailed || isBecauseOfClaim
                case .unknown: state.hasUnknown = true
                }
            }
        }

        /// Records that the worker may hold a job that it does not know. No joined claim begins until ``returnedUnknown()``.
        func noteUnknown() {
            state.withLock { $0.hasUnknown = true }
        }

        /// Whether the loop must hand back jobs that the worker does not know. False while a joined claim is under way, because its job is
        /// not known yet; no other joined claim begins in that time.
        var mustReturnUnknown: Bool { state.withLock { $0.hasUnknown && $0.joined == 0 } }

        /// Records that all unknown jobs have been handed back.
        func returnedUnknown() {
            state.withLock { $0.hasUnknown = false }
        }
    }
}

/// The tenants that a worker served last, and those whose turn it was although they had no job. They may be ready without a job, so
/// its claims check that they have one, and its next poll settles them; see ``Turns``.
struct RecentTenants: Sendable {
    static let limit = 16
    /// How many of the first ready tenants a poll also settles after one had no job to claim: the others may have none either.
    static let settlingFirst = 16

    private(set) var keys: [String] = []
    private(set) var since: ContinuousClock.Instant?
    /// Whether a tenant that this worker had not served had no job to claim.
    private(set) var foundNothing = false

    var isFull: Bool { keys.count >= Self.limit }

    /// - Returns: whether the tenant is new.
    @discardableResult
    mutating func insert(_ tenant: String, hasNothing: Bool = false) -> Bool {
        guard !keys.contains(tenant) else { return false }
        keys.append(tenant)
        since = since ?? .now
        if hasNothing { foundNothing = true }
        return true
    }

    /// Removes tenants that have been settled. For the others, ``since`` starts again.
    mutating func subtract(_ settled: RecentTenants) {
        keys.removeAll { settled.keys.contains($0) }
        guard keys.isEmpty else {
            since = .now
            return
        }
        (since, foundNothing) = (nil, false)
    }
}
