private import Postgres

/// The loop of a worker that claims jobs. Each turn registers the worker, sweeps, and claims a job or finds out how long to wait.
struct WorkerLoop {
    enum Action {
        case run(Attempt)
        case wait(Duration)
    }

    /// How often the worker reports that it is alive.
    private static let registrationInterval: Duration = .seconds(10)
    /// The same if its counters have changed since.
    private static let countersInterval: Duration = .seconds(2)
    private static let cleanUpInterval: Duration = .seconds(3_600)
    private static let recountInterval: Duration = .seconds(60)
    /// A busy worker polls this often, to sweep the jobs of dead workers.
    private static let busyPollInterval: Duration = .seconds(1)
    /// How often it reports the same fault.
    private static let reportInterval: Duration = .seconds(60)
    private static let maxSweeps = 4
    /// For how long joined claims may begin after a turn that found the worker ready. Longer than the maximum of ``PollInterval``.
    private static let readiness: Duration = .seconds(10)
    /// How often it looks for tenants below the lower bound of places, where only a reload of the limit or a hand can leave one.
    private static let thoroughInterval: Duration = .seconds(30)

    private let worker: Worker
    private let registry = WorkerRegistry()
    private let maintenance: QueueMaintenance
    private var backoff: Backoff
    private var registered: (at: ContinuousClock.Instant, storage: String)?
    private var cleanedUp: ContinuousClock.Instant?
    private var recounted: ContinuousClock.Instant?
    private var polled: ContinuousClock.Instant?
    /// When the next poll is due, by the result of the last one.
    private var nextPoll = ContinuousClock.now
    /// The last logged fault of each event.
    private var faults: [ExportEvent: (text: String, at: ContinuousClock.Instant)] = [:]
    /// Claims in a row that got nothing although there was a job to claim.
    private var misses = 0
    /// The last turn claimed a job, so the next one may, too.
    private var isBusy = false
    /// The last claim found no tenant that may start a job, not even one that another transaction has locked.
    private var noTenantIsReady = false
    /// A claim failed, and the database may have made it.
    private var mayHoldUnknown = false
    private var lookedThoroughly: ContinuousClock.Instant?
    /// The lock that the worker's row names.
    private var recordedProof: Int?

    init(_ worker: Worker) {
        self.worker = worker
        maintenance = QueueMaintenance(lease: worker.leases.lease)
        backoff = Backoff(cap: worker.configuration.maxReconnectDelay)
    }

    /// One turn.
    ///
    /// - Parameter isSignalled: there probably is a job, so it claims before it polls.
    mutating func next(isSignalled: Bool) async -> Action {
        worker.liveness.reportProgress()
        let checked = ContinuousClock.now
        let isReady = await isReady()
        if !isReady { worker.running.allowClaims(until: nil) }
        do {
            let action = try await turn(isReady, isSignalled)
            if isReady { worker.running.allowClaims(until: checked + Self.readiness) }
            return action
        } catch {
            worker.running.allowClaims(until: nil)
            report(ExportEvent.claimFailed, error)
            return .wait(backoff.next())
        }
    }

    private mutating func turn(_ isReady: Bool, _ isSignalled: Bool) async throws -> Action {
        try await registerIfChanged()
        try await recordProof()
        try await returnUnknown()
        if worker.running.takeRaise() { try await raiseBound() }
        if isBusy, worker.running.recent.isFull || Self.isDue(polled, every: Self.busyPollInterval) { try await poll() }
        let mayClaim = isReady && worker.hasRoom
        if mayClaim, isSignalled || isBusy {
            if let attempt = try await claim() { return .run(attempt) }
            let mustPoll = worker.running.takeRequeued()
            if noTenantIsReady, !mustPoll, let polled {
                let left = ContinuousClock.now.duration(to: min(nextPoll, polled + Self.busyPollInterval))
                if left > .zero {
                    isBusy = false
                    return .wait(left)
                }
            }
        }
        if isReady, !worker.hasRoom, !Self.isDue(polled, every: Self.busyPollInterval) {
            await cleanUp()
            // The end of each run signals, or has claimed the next job.
            return .wait(Self.busyPollInterval - (polled?.duration(to: .now) ?? .zero))
        }
        let snapshot = try await poll()
        await cleanUp()
        if mayClaim, snapshot.isClaimable, let attempt = try await claim() { return .run(attempt) }
        isBusy = false
        backoff.reset()
        misses = mayClaim && snapshot.isClaimable && !isSignalled ? misses + 1 : 0
        let wait = PollInterval.next(after: snapshot, mayClaim: mayClaim, misses: misses, jitter: .random(in: 0...1))
        nextPoll = .now + wait
        return .wait(wait)
    }

    /// Waits for the ends of the last jobs after a stop.
    mutating func finish() async {
        await keepAlive()
        // An end whose answer was lost may have claimed a job.
        try? await returnUnknown()
    }

    /// Reports that the worker is alive while its last jobs end.
    private mutating func keepAlive() async {
        while worker.running.count > 0, !Task.isCancelled {
            worker.liveness.reportProgress()
            if let registered, Self.isDue(registered.at, every: Self.registrationInterval) {
                // Also a failed attempt counts: the next one is an interval away.
                self.registered = (.now, registered.storage)
                try? await register(registered.storage)
            }
            try? await recordProof()
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private static func isDue(_ last: ContinuousClock.Instant?, every interval: Duration) -> Bool {
        last.map { $0.duration(to: .now) >= interval } ?? true
    }

    // MARK: Statements

    /// Runs one statement. Each answer counts as progress: a loop that waits for a slow database is alive.
    private func statement<Answer: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        let answer = try await worker.database.statement(body)
        worker.liveness.reportProgress()
        return answer
    }

    private func transaction<Answer: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        let answer = try await worker.database.transaction(body)
        worker.liveness.reportProgress()
        return answer
    }

    /// Claims a job; tries the next tenant while one has nothing to claim.
    ///
    /// - Returns: nil if the worker has no free slot, no tenant may start a job, or the next tenant's job is locked.
    private mutating func claim() async throws -> Attempt? {
        noTenantIsReady = false
        guard worker.running.reserve(of: worker.configuration.slots) else { return nil }
        var hasJob = false
        defer { if !hasJob { worker.running.end() } }
        while true {
            let before = ContinuousClock.now
            // Until the answer arrives, it may be lost.
            mayHoldUnknown = true
            let claim = try await statement { [worker] in
                try await worker.leases.claim(worker: worker.id, recent: worker.running.recent.keys, on: $0)
            }
            mayHoldUnknown = false
            worker.running.noteClaimed()
            switch claim {
            case .job(let job):
                worker.running.begin(job)
                hasJob = true
                isBusy = true
                backoff.reset()
                worker.counters.observe(.wait, job.waited)
                return Attempt(job, LeaseClock(until: before + worker.leases.lease), of: worker)
            case .nothing(let tenant):
                guard !worker.isStopping, worker.running.insertRecent(nothingOf: tenant) else { return nil }
                if worker.running.recent.isFull { try await poll() }
            case .noTurn(let isLocked):
                noTenantIsReady = !isLocked
                return nil
            }
        }
    }

    private mutating func raiseBound() async throws {
        try await statement { [worker] in try await Turns.raiseBound(tenantLimit: worker.leases.tenantLimit(), on: $0) }
    }

    /// Hands back jobs of claims whose answer was lost, so that nobody has to wait for the end of their leases.
    private mutating func returnUnknown() async throws {
        if mayHoldUnknown {
            worker.running.noteUnknown()
            mayHoldUnknown = false
        }
        while worker.running.mustReturnUnknown {
            let hasMore = try await statement { [maintenance, worker] in
                try await maintenance.returnUnknown(of: worker.id, except: worker.running.own, on: $0)
            }
            if !hasMore { worker.running.returnedUnknown() }
        }
    }

    /// Reads the state of the queue, and does what is due.
    @discardableResult
    private mutating func poll() async throws -> QueueSnapshot {
        var snapshot = try await readSnapshot()
        polled = .now
        if snapshot.isMaintenanceDue { worker.maintenance.signal() }
        if snapshot.isSweepDue {
            await sweep()
            snapshot = try await readSnapshot()
            // The job is locked, or it has no slot.
            if snapshot.isSweepDue { await recount() }
        }
        // A claim may be committed after its connection was lost, and after the search for it.
        if snapshot.hasUnknown {
            worker.running.noteUnknown()
            try await returnUnknown()
        }
        if let retry = snapshot.untilRetry, retry <= .zero, try await statement({ try await Turns.promote(on: $0) }) > 0 {
            snapshot = try await readSnapshot()
        }
        return snapshot
    }

    private mutating func readSnapshot() async throws -> QueueSnapshot {
        let interval = worker.counters.hasNews ? Self.countersInterval : Self.registrationInterval
        var registration: WorkerRegistration?
        if let registered, Self.isDue(registered.at, every: interval) {
            registration = worker.registration(registered.storage)
        }
        let recent = worker.running.recent
        var poll = LeaseStore.Poll(
            worker: worker.id, history: worker.configuration.history, own: worker.running.own, recent: recent.keys,
            isThorough: Self.isDue(lookedThoroughly, every: Self.thoroughInterval), registration: registration)
        if recent.isFull || Self.isDue(recent.since, every: Self.busyPollInterval) {
            (poll.settling, poll.settlingFirst) = (recent.keys, recent.foundNothing ? RecentTenants.settlingFirst : 0)
        }
        let snapshot = try await statement { [worker, poll] in try await worker.leases.poll(poll, on: $0) }
        if poll.isThorough { lookedThoroughly = .now }
        if !poll.settling.isEmpty { worker.running.settled(recent) }
        if let registration { note(registration, isNew: snapshot.isNewRow) }
        return snapshot
    }

    /// Takes a limited number of jobs from workers that do not end them. Each has a transaction of its own, because two workers that
    /// lock several tenants in different orders would deadlock. After a failure the worker still claims.
    private mutating func sweep() async {
        var left = Self.maxSweeps
        for reason in SweepReason.allCases {
            do {
                while left > 0,
                    let state = try await transaction({ [maintenance, worker] in
                        try await maintenance.sweep(reason, worker: worker.id, except: worker.running.own, on: $0)
                    })
                {
                    left -= 1
                    if state == .failed { worker.counters.count(.failed) }
                    if state == .cancelled { worker.counters.count(.cancelled) }
                    worker.counters.count(reason.counter)
                    worker.logger.report(ExportEvent.jobRescued, [.because: reason])
                }
            } catch {
                report(ExportEvent.rescueFailed, error)
            }
        }
    }

    /// Registers at the start and when the state of the disk has changed. At other times the polls do.
    private mutating func registerIfChanged() async throws {
        let storage = await worker.runner.storage()
        if registered?.storage != storage { try await register(storage) }
    }

    private mutating func register(_ storage: String) async throws {
        let registration = worker.registration(storage)
        let isNew = try await statement { [registry] in try await registry.register(registration, on: $0) }
        note(registration, isNew: isNew)
    }

    private mutating func note(_ registration: WorkerRegistration, isNew: Bool) {
        registered = (.now, registration.storage)
        if isNew { recordedProof = nil }
        if isNew { worker.counters.restart() } else { worker.counters.wasShown(registration.shown) }
    }

    /// Names the lock of the session that listens in the worker's row, or removes it from the row after the session has ended.
    private mutating func recordProof() async throws {
        let lock = worker.proof.lock
        guard lock != recordedProof else { return }
        try await statement { [registry, worker] in
            try await registry.record(lock, lease: worker.leases.lease, of: worker.id, on: $0)
        }
        recordedProof = lock
    }

    private mutating func cleanUp() async {
        guard Self.isDue(cleanedUp, every: Self.cleanUpInterval) else { return }
        cleanedUp = .now
        do {
            try await transaction { [maintenance] in try await maintenance.cleanUp(on: $0) }
        } catch {
            report(ExportEvent.maintenanceFailed, error)
        }
        await recount()
    }

    private mutating func recount() async {
        guard Self.isDue(recounted, every: Self.recountInterval) else { return }
        recounted = .now
        do {
            let wrong = try await transaction { [maintenance] in try await maintenance.recount(on: $0) }
            if wrong > 0 { worker.logger.report(ExportEvent.slotsCorrected, [.slots: wrong]) }
        } catch {
            report(ExportEvent.slotsNotCounted, error)
        }
    }

    private mutating func isReady() async -> Bool {
        do {
            try await worker.runner.checkReadiness()
            return true
        } catch {
            report(ExportEvent.workerNotReady, error)
            return false
        }
    }

    /// Reports a fault once, and again at intervals while it lasts.
    private mutating func report(_ event: ExportEvent, _ error: any Error) {
        let text = "\(error)"
        if worker.isStopping { return }
        if let fault = faults[event], fault.text == text, !Self.isDue(fault.at, every: Self.reportInterval) { return }
        faults[event] = (text, .now)
        worker.logger.report(event, [.error: text])
    }
}

extension SweepReason {
    fileprivate var counter: WorkerCounters.Name {
        switch self {
        case .leaseOver: .rescuedLeaseOver
        case .sessionOver: .rescuedSessionOver
        case .overdue: .rescuedOverdue
        case .leaseMissing: .rescuedLeaseMissing
        }
    }
}
