package import Logging
private import Postgres
internal import ServiceLifecycle
private import Synchronization

/// Claims jobs and runs them, a few at a time, until the service stops.
///
/// One loop claims for all slots. It sleeps when there is nothing to do, until somebody rings or until it is time to look again,
/// whatever comes first. On a graceful shutdown it claims no more, stops what runs and hands it back to the queue.
package struct Worker: Service {
    package struct Configuration: Sendable {
        package var slots: Int
        package var host: String
        package var version: String
        /// The longest wait for a database that is away.
        package var longestReconnect: Duration = .seconds(2)
        /// The longest wait before a job's next attempt.
        package var longestBackoff: Duration = .seconds(30)
        /// How long after its first attempt a job is tried again.
        package var giveUpAfter: Duration = .seconds(3_600)
        /// Attempts, lost leases among them, after which a job whose worker was stopped once more is given up.
        package var mostReturns = 20
        /// How long the row of a finished job is kept.
        package var history: Duration = .seconds(400 * 86_400)
        /// Told of each step of an attempt before it goes on; for tests.
        package var observe: @Sendable (Step, ClaimedJob) -> Void = { _, _ in }

        package init(slots: Int, host: String, version: String) {
            self.slots = slots
            self.host = host
            self.version = version
        }
    }

    /// New at each start: nobody takes a dead process for a living one.
    package let id = JobID()
    /// Rung when there may be a job to claim.
    package let bell = Bell()
    /// What this rings when files are to be removed or rows to be forgotten.
    private let care: Bell
    private let configuration: Configuration
    private let database: JobDatabase
    private let leases: LeaseStore
    private let runner: any JobRunner
    private let logger: Logger
    private let running = Running()

    /// What this worker runs now. A run that hangs may outlive its epoch, so a job may stand here twice.
    private final class Running: Sendable {
        private let state = Mutex((runs: 0, own: [JobID: Set<Int>]()))

        var count: Int { state.withLock { $0.runs } }
        /// Jobs whose rows this worker may change.
        var own: [JobID] { state.withLock { Array($0.own.keys) } }

        func begin(_ job: ClaimedJob) {
            state.withLock { state in
                state.runs += 1
                state.own[job.id, default: []].insert(job.epoch)
            }
        }

        /// The end is written down, or will never be.
        func settle(_ job: ClaimedJob) {
            state.withLock { state in
                state.own[job.id]?.remove(job.epoch)
                if state.own[job.id]?.isEmpty == true { state.own[job.id] = nil }
            }
        }

        func end() {
            state.withLock { $0.runs -= 1 }
        }
    }

    package init(
        _ configuration: Configuration, database: JobDatabase, leases: LeaseStore, runner: any JobRunner, care: Bell,
        logger: Logger
    ) {
        self.configuration = configuration
        self.database = database
        self.leases = leases
        self.runner = runner
        self.care = care
        var logger = logger
        logger[metadataKey: "worker"] = "\(id)"
        self.logger = logger
    }

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            var rounds = Rounds(configuration)
            var isRung = false
            while !isStopping {
                switch await rounds.next(of: self, isRung: isRung) {
                case .run(let job, let lease):
                    running.begin(job)
                    group.addTask {
                        await execute(job, lease)
                        running.end()
                        bell.ring()
                    }
                case .sleep(let time):
                    isRung = await bell.sleep(for: time)
                }
            }
        }
        // Runs after a graceful stop; a worker that cannot say goodbye is forgotten in time.
        try? await database.transaction { try await leases.unregister(worker: id.description, on: $0) }
    }

    private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    private var hasRoom: Bool { running.count < configuration.slots }

    // MARK: Claiming

    private enum Move {
        case run(ClaimedJob, LeaseClock)
        case sleep(Duration)
    }

    /// What the loop remembers from one round to the next.
    private struct Rounds {
        /// How often a worker says that it is alive.
        private static let registration: Duration = .seconds(10)
        private static let tidying: Duration = .seconds(3_600)
        private static let recounting: Duration = .seconds(60)
        /// However much there is to claim, others' dead workers are looked for this often.
        private static let outlook: Duration = .seconds(1)
        /// Of the same fault.
        private static let logging: Duration = .seconds(60)
        private static let mostSweeps = 4

        private var backoff: Backoff
        private var registered: (at: ContinuousClock.Instant, storage: String)?
        private var tidied: ContinuousClock.Instant?
        private var recounted: ContinuousClock.Instant?
        private var looked: ContinuousClock.Instant?
        /// What was complained of last, by what could not be done.
        private var faults: [String: (text: String, at: ContinuousClock.Instant)] = [:]
        /// Claims in a row that took nothing although there was something to take.
        private var misses = 0
        /// The last round has claimed a job, and the next may well do so too.
        private var isBusy = false
        /// A claim has failed, and may have been made all the same.
        private var mayHoldUnknown = false

        init(_ configuration: Configuration) {
            backoff = Backoff(cap: configuration.longestReconnect)
        }

        /// One round: says that the worker is alive, sweeps, claims, or finds out how long to sleep.
        ///
        /// - Parameter isRung: there is probably something to claim, so that is tried before anything is looked at.
        mutating func next(of worker: Worker, isRung: Bool) async -> Move {
            do {
                let isReady = await isReady(worker)
                try await register(worker)
                try await returnUnknown(worker)
                if isBusy, looked.map({ $0.duration(to: .now) >= Self.outlook }) ?? true { try await look(worker) }
                let mayClaim = isReady && worker.hasRoom
                if mayClaim, isRung || isBusy, let move = try await claim(worker) { return move }
                if isReady, !worker.hasRoom, let looked, looked.duration(to: .now) < Self.outlook {
                    await tidy(worker)
                    // Whichever run ends rings.
                    return .sleep(Self.outlook)
                }
                let outlook = try await look(worker)
                await tidy(worker)
                if mayClaim, outlook.isClaimable, let move = try await claim(worker) { return move }
                isBusy = false
                backoff.reset()
                misses = mayClaim && outlook.isClaimable && !isRung ? misses + 1 : 0
                return .sleep(
                    Nap.length(after: outlook, mayClaim: mayClaim, misses: misses, jitter: .random(in: 0...1)))
            } catch {
                complain("Cannot claim jobs", error, worker)
                return .sleep(backoff.next())
            }
        }

        private mutating func claim(_ worker: Worker) async throws -> Move? {
            let before = ContinuousClock.now
            // Until the answer is here it may be one that gets lost.
            mayHoldUnknown = true
            let job = try await worker.database.statement { connection in
                try await worker.leases.claim(worker: worker.id.description, on: connection)
            }
            mayHoldUnknown = false
            guard let job else { return nil }
            isBusy = true
            backoff.reset()
            return .run(job, LeaseClock(until: before + worker.leases.lease))
        }

        /// Gives back what a claim has taken whose answer got lost, instead of letting its lease run out.
        private mutating func returnUnknown(_ worker: Worker) async throws {
            while mayHoldUnknown {
                mayHoldUnknown = try await worker.database.statement { connection in
                    try await worker.leases.returnUnknown(
                        of: worker.id.description, except: worker.running.own, on: connection)
                }
            }
        }

        /// Looks at the queue as a whole, and does what it shows to be due.
        @discardableResult
        private mutating func look(_ worker: Worker) async throws -> LeaseStore.Outlook {
            func outlook() async throws -> LeaseStore.Outlook {
                var registering: (row: LeaseStore.WorkerRow, storage: String)?
                if let registered, registered.at.duration(to: .now) >= Self.registration {
                    registering = (Self.row(of: worker), registered.storage)
                }
                let found = try await worker.database.statement { [registering] connection in
                    try await worker.leases.look(
                        worker: worker.id.description, history: worker.configuration.history,
                        own: worker.running.own, registering: registering, on: connection)
                }
                if let registering { registered = (.now, registering.storage) }
                return found
            }
            var found = try await outlook()
            looked = .now
            if found.isCareDue { worker.care.ring() }
            if found.isSweepDue {
                await sweep(worker)
                found = try await outlook()
                // Neither taken nor gone: held by somebody, or out of the reach of what counts.
                if found.isSweepDue { await recount(worker) }
            }
            return found
        }

        /// A bounded number of rescues; each in a transaction of its own, since two workers that lock several tenants in
        /// different orders would wait for each other. One that fails is no reason to claim nothing.
        private mutating func sweep(_ worker: Worker) async {
            var left = Self.mostSweeps
            for fault in LeaseStore.Fault.allCases {
                do {
                    while left > 0,
                        try await worker.database.transaction({
                            try await worker.leases.sweep(
                                fault, worker: worker.id.description, except: worker.running.own, on: $0)
                        })
                    {
                        left -= 1
                        worker.logger.notice("Took a job from a worker", metadata: ["because": "\(fault)"])
                    }
                } catch {
                    complain("Cannot take jobs from dead workers", error, worker)
                }
            }
        }

        /// At first, and when the disk's condition has changed. Else the next look says that the worker is alive.
        private mutating func register(_ worker: Worker) async throws {
            let storage = await worker.runner.storage()
            guard registered?.storage != storage else { return }
            let row = Self.row(of: worker)
            try await worker.database.statement { try await worker.leases.register(row, storage: storage, on: $0) }
            registered = (.now, storage)
        }

        private static func row(of worker: Worker) -> LeaseStore.WorkerRow {
            LeaseStore.WorkerRow(
                id: worker.id.description, host: worker.configuration.host, version: worker.configuration.version,
                slots: worker.configuration.slots)
        }

        /// What can wait, and must keep nobody from claiming.
        private mutating func tidy(_ worker: Worker) async {
            guard tidied.map({ $0.duration(to: .now) >= Self.tidying }) ?? true else { return }
            tidied = .now
            do {
                try await worker.database.transaction { try await worker.leases.tidy(on: $0) }
            } catch {
                complain("Cannot tidy up", error, worker)
            }
            await recount(worker)
        }

        private mutating func recount(_ worker: Worker) async {
            guard recounted.map({ $0.duration(to: .now) >= Self.recounting }) ?? true else { return }
            recounted = .now
            do {
                let wrong = try await worker.database.transaction { try await worker.leases.recount(on: $0) }
                if wrong > 0 { worker.logger.error("Slots had a wrong count of what runs", metadata: ["slots": "\(wrong)"]) }
            } catch {
                complain("Cannot count what runs", error, worker)
            }
        }

        private mutating func isReady(_ worker: Worker) async -> Bool {
            do {
                try await worker.runner.checkReadiness()
                return true
            } catch {
                complain("Not ready for jobs", error, worker)
                return false
            }
        }

        /// Once for each fault, and now and then while it lasts.
        private mutating func complain(_ message: Logger.Message, _ error: any Error, _ worker: Worker) {
            let text = "\(error)"
            if worker.isStopping { return }
            if let fault = faults["\(message)"], fault.text == text, fault.at.duration(to: .now) < Self.logging { return }
            faults["\(message)"] = (text, .now)
            worker.logger.warning(message, metadata: ["error": "\(text)"])
        }
    }

    // MARK: One job

    private enum Outcome: Sendable {
        case done(JobResult)
        case failed(any Error)
        case verdict(Heartbeat.Verdict)
        case stopping
    }

    /// Runs the job beside its heartbeat. Whichever ends first decides, and is written down at once: a run that hangs on a disk
    /// keeps its slot, but neither its job nor its tenant's place.
    private func execute(_ job: ClaimedJob, _ lease: LeaseClock) async {
        var logger = logger
        logger[metadataKey: "job"] = "\(job.id)"
        logger[metadataKey: "epoch"] = "\(job.epoch)"
        logger.info("Started", metadata: ["attempt": "\(job.attempt)", "tenant": "\(job.tenantSlug)"])
        configuration.observe(.claimed, job)
        let progress = Progress { configuration.observe($0, job) }
        let heartbeat = Heartbeat(
            job: job, progress: progress, lease: lease, leases: leases, database: database, logger: logger)
        await withTaskGroup(of: Outcome?.self) { [logger] group in
            group.addTask {
                do {
                    return .done(try await runner.run(job, progress: progress, lease: lease))
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                do {
                    return .verdict(try await heartbeat.run())
                } catch is CancellationError {
                    // The run was faster.
                    return nil
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                do {
                    try await gracefulShutdown()
                    return .stopping
                } catch {
                    return nil
                }
            }
            var isSettled = false
            for await next in group {
                guard let next else { continue }
                if !isSettled {
                    isSettled = true
                    group.cancelAll()
                    await settle(job, next, lease, logger: logger)
                    running.settle(job)
                } else if case .done = next {
                    // It was done when it was told to stop. A result that is not published is thrown away.
                    await runner.discard(job)
                }
            }
        }
    }

    private func settle(_ job: ClaimedJob, _ outcome: Outcome, _ lease: LeaseClock, logger: Logger) async {
        let end: LeaseStore.End
        switch outcome {
        case .done(let result):
            configuration.observe(.beforePublish, job)
            end = .succeeded(result)
        case .verdict(.cancelRequested):
            end = .cancelled
        case .verdict(.overdue):
            end = .failed(
                JobFailure(kind: "deadline-exceeded", message: "The export took longer than it may. Ask the operators."))
        case .verdict(.leaseLost):
            end = returned(job)
        case .failed(is LeaseOver):
            end = returned(job)
        case .stopping:
            end = .handedBack
        case .failed(let error):
            if isStopping, error is CancellationError {
                end = .handedBack
            } else {
                end = retryOrFail(job, error, logger: logger)
            }
        }
        // Survives the cancellation of this task: what was decided has to be written down.
        await Task { await write(job, end, lease, logger: logger) }.value
        if case .succeeded = end { configuration.observe(.afterPublish, job) }
    }

    private func retryOrFail(_ job: ClaimedJob, _ error: any Error, logger: Logger) -> LeaseStore.End {
        let failure = runner.failure(for: error)
        logger.warning(
            "The attempt failed",
            metadata: ["kind": "\(failure.kind)", "transient": "\(failure.isTransient)", "error": "\(error)"])
        guard failure.isTransient else { return .failed(failure) }
        return .retried(failure, delay: delay(after: job), giveUpAfter: configuration.giveUpAfter)
    }

    private func returned(_ job: ClaimedJob) -> LeaseStore.End {
        .returned(
            delay: delay(after: job), attempts: configuration.mostReturns, giveUpAfter: configuration.giveUpAfter)
    }

    private func delay(after job: ClaimedJob) -> Duration {
        Backoff.delay(beforeAttempt: job.attempt, first: .seconds(1), cap: configuration.longestBackoff)
    }

    /// How long the end of an attempt is tried to be written down after the lease is over; then whoever claims next has taken
    /// the job back long ago.
    private static let patience: Duration = .seconds(60)

    /// Writes the end down, again and again while the database is away.
    ///
    /// When the lease is over, or the statement changes nothing, the job is handed back, which takes no lease: if the epoch is
    /// unchanged nobody else has had the job, and no crash is counted.
    private func write(_ job: ClaimedJob, _ wanted: LeaseStore.End, _ lease: LeaseClock, logger: Logger) async {
        var backoff = Backoff(cap: .seconds(1))
        while true {
            do {
                if wanted.needsLease, !lease.isOver, try await ended(job, wanted) {
                    logger.info("Ended", metadata: ["end": "\(wanted.name)"])
                } else {
                    try await handBack(job, insteadOf: wanted, logger: logger)
                }
                return
            } catch {
                guard error is PostgresError, ContinuousClock.now < lease.until + Self.patience else {
                    // The lease runs out, and whoever claims next takes the job back.
                    logger.error("Cannot write the end down", metadata: ["end": "\(wanted.name)", "error": "\(error)"])
                    return
                }
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    private func ended(_ job: ClaimedJob, _ end: LeaseStore.End) async throws -> Bool {
        try await database.statement { try await leases.end(job, end, on: $0) }
    }

    /// Gives the job back, and throws its result away once no statement that is still on its way can publish it: the row is in
    /// the queue again, or has another epoch, or is over without naming this one.
    private func handBack(_ job: ClaimedJob, insteadOf wanted: LeaseStore.End, logger: Logger) async throws {
        let isBack = try await ended(job, wanted.needsLease ? returned(job) : wanted)
        if case .succeeded = wanted {
            // A success may have been written although its answer got lost.
            if !isBack, try await database.transaction({ try await leases.isPublished(job, on: $0) }) {
                logger.info("Ended", metadata: ["end": "succeeded"])
                return
            }
            await runner.discard(job)
        }
        if isBack {
            logger.info("Ended", metadata: ["end": "given-back", "wanted": "\(wanted.name)"])
        } else {
            logger.warning("The job was not this worker's any more", metadata: ["end": "\(wanted.name)"])
        }
    }
}

extension LeaseStore.End {
    var needsLease: Bool {
        switch self {
        case .handedBack, .returned: false
        case .succeeded, .failed, .cancelled, .retried: true
        }
    }

    var name: String {
        switch self {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .handedBack: "handed-back"
        case .returned: "returned"
        case .retried: "retried"
        }
    }
}
