private import Postgres

/// What the worker does next.
enum Action {
    case run(ClaimedJob, LeaseClock)
    case sleep(Duration)
}

/// What the loop remembers from one round to the next.
struct WorkerLoop {
    /// How often a worker says that it is alive.
    private static let registration: Duration = .seconds(10)
    /// The same where it has done something since, so that figures are fresh.
    private static let news: Duration = .seconds(2)
    private static let tidying: Duration = .seconds(3_600)
    private static let recounting: Duration = .seconds(60)
    /// However much there is to claim, others' dead workers are polled for this often.
    private static let snapshot: Duration = .seconds(1)
    /// Of the same fault.
    private static let logging: Duration = .seconds(60)
    private static let maxSweeps = 4

    private var backoff: Backoff
    private var registered: (at: ContinuousClock.Instant, storage: String)?
    private var tidied: ContinuousClock.Instant?
    private var recounted: ContinuousClock.Instant?
    private var polled: ContinuousClock.Instant?
    /// What was complained of last, by what could not be done.
    private var faults: [ExportEvent: (text: String, at: ContinuousClock.Instant)] = [:]
    /// Claims in a row that took nothing although there was something to take.
    private var misses = 0
    /// The last round has claimed a job, and the next may well do so too.
    private var isBusy = false
    /// A claim has failed, and may have been made all the same.
    private var mayHoldUnknown = false

    init(_ configuration: Worker.Configuration) {
        backoff = Backoff(cap: configuration.maxReconnectDelay)
    }

    /// One round: says that the worker is alive, sweeps, claims, or finds out how long to sleep.
    ///
    /// - Parameter isSignalled: there is probably something to claim, so that is tried before anything is polled at.
    mutating func next(of worker: Worker, isSignalled: Bool) async -> Action {
        worker.liveness.reportProgress()
        do {
            let isReady = await isReady(worker)
            try await register(worker)
            try await returnUnknown(worker)
            if isBusy, polled.map({ $0.duration(to: .now) >= Self.snapshot }) ?? true { try await poll(worker) }
            let mayClaim = isReady && worker.hasRoom
            if mayClaim, isSignalled || isBusy, let action = try await claim(worker) { return action }
            if isReady, !worker.hasRoom, let polled, polled.duration(to: .now) < Self.snapshot {
                await tidy(worker)
                // Whichever run ends rings.
                return .sleep(Self.snapshot)
            }
            let snapshot = try await poll(worker)
            await tidy(worker)
            if mayClaim, snapshot.isClaimable, let action = try await claim(worker) { return action }
            isBusy = false
            backoff.reset()
            misses = mayClaim && snapshot.isClaimable && !isSignalled ? misses + 1 : 0
            return .sleep(
                PollInterval.next(after: snapshot, mayClaim: mayClaim, misses: misses, jitter: .random(in: 0...1)))
        } catch {
            complain(.claimFailed, error, worker)
            return .sleep(backoff.next())
        }
    }

    /// Every answer is a sign of life: what takes long because the database is slow does not stand still.
    private func answered<Answer>(_ worker: Worker, _ question: () async throws -> Answer) async throws -> Answer {
        let answer = try await question()
        worker.liveness.reportProgress()
        return answer
    }

    private mutating func claim(_ worker: Worker) async throws -> Action? {
        let before = ContinuousClock.now
        // Until the answer is here it may be one that gets lost.
        mayHoldUnknown = true
        let job = try await answered(worker) {
            try await worker.database.statement { connection in
                try await worker.leases.claim(worker: worker.id.description, on: connection)
            }
        }
        mayHoldUnknown = false
        guard let job else { return nil }
        isBusy = true
        backoff.reset()
        worker.counters.observe(.wait, job.waited)
        return .run(job, LeaseClock(until: before + worker.leases.lease))
    }

    /// Gives back what a claim has taken whose answer got lost, instead of letting its lease run out.
    private mutating func returnUnknown(_ worker: Worker) async throws {
        while mayHoldUnknown {
            mayHoldUnknown = try await answered(worker) {
                try await worker.database.statement { connection in
                    try await worker.leases.returnUnknown(
                        of: worker.id.description, except: worker.running.own, on: connection)
                }
            }
        }
    }

    /// Looks at the queue as a whole, and does what it shows to be due.
    @discardableResult
    private mutating func poll(_ worker: Worker) async throws -> QueueSnapshot {
        func snapshot() async throws -> QueueSnapshot {
            var registering: (row: LeaseStore.WorkerRegistration, storage: String)?
            if let registered,
                registered.at.duration(to: .now) >= (worker.counters.hasNews ? Self.news : Self.registration)
            {
                registering = (worker.row, registered.storage)
            }
            let found = try await answered(worker) {
                try await worker.database.statement { [registering] connection in
                    try await worker.leases.poll(
                        worker: worker.id.description, history: worker.configuration.history,
                        own: worker.running.own, registering: registering, on: connection)
                }
            }
            if let registering { isRegistered(registering.row, registering.storage, found.isNewRow, worker) }
            return found
        }
        var found = try await snapshot()
        polled = .now
        if found.isMaintenanceDue { worker.maintenance.signal() }
        if found.isSweepDue {
            await sweep(worker)
            found = try await snapshot()
            // Neither taken nor gone: held by somebody, or out of the reach of what counts.
            if found.isSweepDue { await recount(worker) }
        }
        return found
    }

    /// A bounded number of rescues; each in a transaction of its own, since two workers that lock several tenants in
    /// different orders would wait for each other. One that fails is no reason to claim nothing.
    private mutating func sweep(_ worker: Worker) async {
        var left = Self.maxSweeps
        for fault in LeaseStore.SweepReason.allCases {
            do {
                while left > 0,
                    let state = try await answered(
                        worker,
                        {
                            try await worker.database.transaction {
                                try await worker.leases.sweep(
                                    fault, worker: worker.id.description, except: worker.running.own, on: $0)
                            }
                        })
                {
                    left -= 1
                    if state == .failed { worker.counters.count(.failed) }
                    if state == .cancelled { worker.counters.count(.cancelled) }
                    worker.counters.count(fault.counter)
                    worker.logger.report(ExportEvent.jobRescued, [.because: fault])
                }
            } catch {
                complain(.rescueFailed, error, worker)
            }
        }
    }

    /// At first, and when the disk's condition has changed. Else the next look says that the worker is alive.
    private mutating func register(_ worker: Worker) async throws {
        let storage = await worker.runner.storage()
        guard registered?.storage != storage else { return }
        try await register(worker, storage)
    }

    private mutating func register(_ worker: Worker, _ storage: String) async throws {
        let row = worker.row
        let isNew = try await answered(worker) {
            try await worker.database.statement { try await worker.leases.register(row, storage: storage, on: $0) }
        }
        isRegistered(row, storage, isNew, worker)
    }

    private mutating func isRegistered(
        _ row: LeaseStore.WorkerRegistration, _ storage: String, _ isNew: Bool, _ worker: Worker
    ) {
        registered = (.now, storage)
        if isNew { worker.counters.restart() } else { worker.counters.wasShown(row.shown) }
    }

    /// Says that the worker is alive while what it runs comes to its end after a stop.
    mutating func stay(with worker: Worker) async {
        while worker.running.count > 0, !Task.isCancelled {
            worker.liveness.reportProgress()
            if let registered, registered.at.duration(to: .now) >= Self.registration {
                // Whatever comes of it, the next try is a while away.
                self.registered = (.now, registered.storage)
                try? await register(worker, registered.storage)
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// What can wait, and must keep nobody from claiming.
    private mutating func tidy(_ worker: Worker) async {
        guard tidied.map({ $0.duration(to: .now) >= Self.tidying }) ?? true else { return }
        tidied = .now
        do {
            try await answered(worker) { try await worker.database.transaction { try await worker.leases.tidy(on: $0) } }
        } catch {
            complain(.maintenanceFailed, error, worker)
        }
        await recount(worker)
    }

    private mutating func recount(_ worker: Worker) async {
        guard recounted.map({ $0.duration(to: .now) >= Self.recounting }) ?? true else { return }
        recounted = .now
        do {
            let wrong = try await answered(worker) {
                try await worker.database.transaction { try await worker.leases.recount(on: $0) }
            }
            if wrong > 0 { worker.logger.report(ExportEvent.slotsCorrected, [.slots: wrong]) }
        } catch {
            complain(.slotsNotCounted, error, worker)
        }
    }

    private mutating func isReady(_ worker: Worker) async -> Bool {
        do {
            try await worker.runner.checkReadiness()
            return true
        } catch {
            complain(.workerNotReady, error, worker)
            return false
        }
    }

    /// Once for each fault, and now and then while it lasts.
    private mutating func complain(_ event: ExportEvent, _ error: any Error, _ worker: Worker) {
        let text = "\(error)"
        if worker.isStopping { return }
        if let fault = faults[event], fault.text == text, fault.at.duration(to: .now) < Self.logging { return }
        faults[event] = (text, .now)
        worker.logger.report(event, [.error: text])
    }
}

extension LeaseStore.SweepReason {
    fileprivate var counter: WorkerCounters.Name {
        switch self {
        case .leaseOver: .rescuedLeaseOver
        case .overdue: .rescuedOverdue
        case .leaseMissing: .rescuedLeaseMissing
        }
    }
}
