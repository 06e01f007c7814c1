package import Logging
private import Postgres
internal import ServiceLifecycle
private import Synchronization

/// Claims jobs and runs several at a time, until the service stops.
///
/// One loop claims jobs for free slots. Without work it waits for a signal, or until it is time to poll. Starts and ends may claim,
/// too (``JoinedClaim``). On a graceful shutdown the worker claims no more, lets its jobs run within the budget of its ``Drain``,
/// and hands the rest back to the queue.
package struct Worker: Service {
    /// What a worker is configured with.
    package struct Configuration: Sendable {
        /// Jobs that the worker runs at a time, at most.
        package var slots: Int
        /// The name of the machine, for operators.
        package var host: String
        /// The version of the program, for operators.
        package var version: String
        /// The maximum delay between attempts to reach the database.
        package var maxReconnectDelay: Duration = .seconds(2)
        /// The maximum delay before a job's next attempt.
        package var maxRetryDelay: Duration = .seconds(30)
        /// How long after its first attempt a job is still tried again.
        package var giveUpAfter: Duration = .seconds(3_600)
        /// A job whose worker was suspended fails after so many attempts.
        package var maxReturns = 20
        /// How long the row of a finished job is kept.
        package var history: Duration = .seconds(400 * 86_400)
        /// Further counters for the worker's row.
        package var furtherCounters: @Sendable () -> [WorkerCounters.Name: Int] = { [:] }
        /// Called after each statement that ends an attempt: with the job as written, or nil if the statement changed nothing or its
        /// answer was lost.
        package var onAttemptEnd: @Sendable (JobRecord?) -> Void = { _ in }
        /// Called at each step of an attempt, before it goes on; for tests.
        package var observe: @Sendable (Step, ClaimedJob) -> Void = { _, _ in }

        /// A configuration with defaults for everything else.
        package init(slots: Int, host: String, version: String) {
            self.slots = slots
            self.host = host
            self.version = version
        }
    }

    /// The id of this worker. A worker has a new one after each start.
    package let id = WorkerID()
    /// What this worker has done since its start.
    package let counters = WorkerCounters()
    /// The progress of the loop that claims, for the watchdog.
    package let liveness = LivenessProbe()
    let drain: Drain
    /// Signalled when there may be a job to claim.
    package let wakeSignal = WakeSignal()
    /// The session that shows others that this process lives.
    package let proof: SessionProof
    /// The worker signals it when there are files to remove or rows to delete.
    let maintenance: WakeSignal
    let configuration: Configuration
    let database: JobDatabase
    let leases: LeaseStore
    let runner: any JobRunner
    let logger: Logger
    let running = Running()
    private let launched = AsyncStream.makeStream(of: Attempt.self)

    /// A worker.
    ///
    /// - Parameters:
    ///   - maintenance: signalled when there are files to remove or rows to delete.
    ///   - drain: the budget for the jobs that run when the worker stops.
    package init(
        _ configuration: Configuration, database: JobDatabase, leases: LeaseStore, runner: any JobRunner,
        maintenance: WakeSignal,
        drain: Drain, logger: Logger
    ) {
        self.configuration = configuration
        self.database = database
        self.leases = leases
        self.runner = runner
        self.maintenance = maintenance
        self.drain = drain
        proof = SessionProof(changed: wakeSignal)
        self.logger = logger.with([.worker: id])
    }

    /// Claims and runs jobs until the service stops, and then removes the worker's row.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await runLaunched() }
            var loop = WorkerLoop(self)
            var isSignalled = false
            while !isStopping {
                switch await loop.next(isSignalled: isSignalled) {
                case .run(let attempt): launch(attempt)
                case .wait(let time): isSignalled = await wakeSignal.wait(for: running.beginWait(time))
                }
            }
            running.allowClaims(until: nil)
            await loop.finish()
            launched.continuation.finish()
        }
        // Also after a graceful shutdown. The row of a worker that fails to unregister is deleted after a day.
        try? await database.statement { try await WorkerRegistry().unregister(registration(""), on: $0) }
    }

    /// Starts the run of a claimed job, for which a slot is reserved.
    func launch(_ attempt: Attempt) {
        guard case .terminated = launched.continuation.yield(attempt) else { return }
        // The worker was cancelled.
        running.settle(attempt.job)
        running.end()
        Task { try? await database.statement { _ = try await leases.end(attempt.job, .handedBack, of: id, on: $0) } }
    }

    private func runLaunched() async {
        await withDiscardingTaskGroup { group in
            for await attempt in launched.stream {
                group.addTask {
                    let isReplaced = await attempt.run()
                    running.end(isReplaced: isReplaced)
                    if !isReplaced { wakeSignal.signal() }
                }
            }
        }
    }

    /// A claim for the transaction of a start.
    package func joinedClaim() -> JoinedClaim { JoinedClaim(by: self) }

    /// The number of slots in use: by runs, and by claims under way.
    package var runningCount: Int { running.used }

    /// - Parameter storage: the state of the disk.
    func registration(_ storage: String) -> WorkerRegistration {
        let (json, shown) = counters.row(with: configuration.furtherCounters())
        return WorkerRegistration(
            id: id, host: configuration.host, version: configuration.version, slots: configuration.slots, storage: storage,
            counters: json, shown: shown)
    }

    var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    var hasRoom: Bool { running.hasRoom(of: configuration.slots) }
}

/// How long a worker that stops lets its jobs run.
package final class Drain: Sendable {
    private let budget: Duration
    private let state = Mutex(State())

    private struct State {
        var began: ContinuousClock.Instant?
        var isForced = false
        var waiters: [AsyncStream<Never>.Continuation] = []
    }

    /// - Parameter budget: the time after which the worker hands the jobs back. Within it, a job that is nearly done can finish
    ///   instead of running again.
    package init(budget: Duration) {
        self.budget = budget
    }

    /// Hands the jobs back now.
    package func force() {
        let waiters = state.withLock { state in
            state.isForced = true
            return state.waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    private func begin() -> ContinuousClock.Instant {
        state.withLock { state in
            let began = state.began ?? .now
            state.began = began
            return began
        }
    }

    /// The end of the budget and some extra time; nil before the drain has begun.
    func end(and extra: Duration) -> ContinuousClock.Instant? {
        state.withLock { $0.began }.map { $0 + budget + extra }
    }

    /// Waits for the end of the budget, or for ``force()``.
    func wait() async throws {
        let end = begin() + budget
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Task.sleep(until: end) }
            group.addTask { for await _ in self.untilForced() {} }
            try await group.next()
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    /// A stream that ends at ``force()``.
    private func untilForced() -> AsyncStream<Never> {
        let (stream, waiter) = AsyncStream.makeStream(of: Never.self)
        let isForced = state.withLock { state in
            state.waiters.append(waiter)
            return state.isForced
        }
        if isForced { waiter.finish() }
        return stream
    }
}

/// When a loop last reported progress.
package final class LivenessProbe: Sendable {
    private let last = Mutex(ContinuousClock.now)

    /// A loop that reports progress now.
    package init() {}

    /// Records that the loop makes progress now.
    func reportProgress() {
        last.withLock { $0 = .now }
    }

    /// The time since the loop last reported progress.
    package var age: Duration { last.withLock { $0.duration(to: .now) } }
}
