package import Logging
private import Postgres
internal import ServiceLifecycle

/// Claims jobs and runs them, a few at a time, until the service stops.
///
/// On a graceful shutdown it claims no more, stops what runs and hands it back to the queue.
package struct Worker: Service {
    package struct Configuration: Sendable {
        package var slots: Int
        package var host: String
        package var version: String
        package var poll: Duration = .milliseconds(250)
        /// The longest wait after a failure: of the database for the worker, of an attempt for a job.
        package var longestBackoff: Duration = .seconds(30)
        /// How long after its first attempt a job is tried again.
        package var giveUpAfter: Duration = .seconds(3_600)

        package init(slots: Int, host: String, version: String) {
            self.slots = slots
            self.host = host
            self.version = version
        }
    }

    /// New at each start: nobody takes a dead process for a living one.
    package let id = JobID()
    private let configuration: Configuration
    private let database: JobDatabase
    private let leases: LeaseStore
    private let runner: any JobRunner
    private let logger: Logger

    package init(
        _ configuration: Configuration, database: JobDatabase, leases: LeaseStore, runner: any JobRunner, logger: Logger
    ) {
        self.configuration = configuration
        self.database = database
        self.leases = leases
        self.runner = runner
        var logger = logger
        logger[metadataKey: "worker"] = "\(id)"
        self.logger = logger
    }

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await keepRegistered() }
            for _ in 0..<configuration.slots { group.addTask { await serve() } }
        }
        // Runs after a graceful stop; a worker that cannot say goodbye is forgotten in time.
        try? await database.transaction { try await leases.unregister(worker: id.description, on: $0) }
    }

    private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    private func keepRegistered() async {
        while !isStopping {
            do {
                try await database.transaction { connection in
                    try await leases.register(
                        worker: id.description, host: configuration.host, version: configuration.version, on: connection)
                }
            } catch {
                logger.debug("Cannot register the worker", metadata: ["error": "\(error)"])
            }
            await pause(.seconds(10))
        }
    }

    /// Sleeps, but not past a graceful shutdown.
    private func pause(_ duration: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }

    private func serve() async {
        var backoff = Backoff(cap: configuration.longestBackoff)
        while !isStopping {
            do {
                try await runner.checkReadiness()
                // A bounded number of rescues for each claim; each in a transaction of its own, since two workers that lock
                // several tenants in different orders would wait for each other.
                for _ in 0..<4 {
                    guard try await database.transaction({ try await leases.sweep(on: $0) }) else { break }
                    logger.notice("Took a job back from a worker whose lease is over")
                }
                let before = ContinuousClock.now
                let job = try await database.transaction { connection in
                    try await leases.claim(worker: id.description, on: connection)
                }
                backoff.reset()
                if let job {
                    await execute(job, leasedSince: before)
                } else {
                    await pause(configuration.poll)
                }
            } catch {
                let wait = backoff.next()
                if !isStopping {
                    logger.warning("Cannot claim jobs", metadata: ["error": "\(error)", "retry": "\(wait)"])
                }
                await pause(wait)
            }
        }
    }

    // MARK: One job

    private enum Outcome: Sendable {
        case done(JobResult)
        case failed(any Error)
        case verdict(Heartbeat.Verdict)
        case stopping
    }

    private func execute(_ job: ClaimedJob, leasedSince start: ContinuousClock.Instant) async {
        var logger = logger
        logger[metadataKey: "job"] = "\(job.id)"
        logger[metadataKey: "epoch"] = "\(job.epoch)"
        logger.info("Started", metadata: ["attempt": "\(job.attempt)", "tenant": "\(job.tenantSlug)"])
        let outcome = await attempt(job, leasedSince: start, logger: logger)
        await settle(job, outcome, logger: logger)
    }

    /// Runs the job beside its heartbeat; whichever ends first decides, and the other is stopped before this returns.
    private func attempt(
        _ job: ClaimedJob, leasedSince start: ContinuousClock.Instant, logger: Logger
    ) async -> Outcome {
        let progress = Progress()
        let heartbeat = Heartbeat(job: job, progress: progress, leases: leases, database: database, logger: logger)
        return await withTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                do {
                    return .done(try await runner.run(job, progress: progress))
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                // The error is the cancellation of this task: the run was faster.
                do {
                    return .verdict(try await heartbeat.run(leasedSince: start))
                } catch is CancellationError {
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
            var outcome: Outcome?
            for await next in group {
                guard let next else { continue }
                switch (outcome, next) {
                case (nil, _):
                    outcome = next
                    group.cancelAll()
                case (.some, .done):
                    // It was done when it was told to stop. A result without a lease to publish it is thrown away.
                    await runner.discard(job)
                default:
                    break
                }
            }
            return outcome ?? .stopping
        }
    }

    private func settle(_ job: ClaimedJob, _ outcome: Outcome, logger: Logger) async {
        let end: LeaseStore.End
        switch outcome {
        case .done(let result):
            end = .succeeded(result)
        case .verdict(.cancelRequested):
            end = .cancelled
        case .verdict(.overdue):
            end = .failed(
                JobFailure(kind: "deadline-exceeded", message: "The export took longer than it may. Ask the operators."))
        case .verdict(.leaseLost):
            logger.warning("Lost the lease; gave up the job")
            return
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
        await Task { await write(job, end, logger: logger) }.value
    }

    private func retryOrFail(_ job: ClaimedJob, _ error: any Error, logger: Logger) -> LeaseStore.End {
        let failure = runner.failure(for: error)
        logger.warning(
            "The attempt failed",
            metadata: ["kind": "\(failure.kind)", "transient": "\(failure.isTransient)", "error": "\(error)"])
        guard failure.isTransient else { return .failed(failure) }
        return .retried(
            failure,
            delay: Backoff.delay(beforeAttempt: job.attempt, first: .seconds(1), cap: configuration.longestBackoff),
            giveUpAfter: configuration.giveUpAfter)
    }

    /// Writes the end down, again and again while the database is away and the lease lasts.
    private func write(_ job: ClaimedJob, _ end: LeaseStore.End, logger: Logger) async {
        var backoff = Backoff(cap: .seconds(1))
        let deadline = ContinuousClock.now + leases.lease
        while true {
            do {
                if try await database.transaction({ try await leases.end(job, end, on: $0) }) {
                    logger.info("Ended", metadata: ["end": "\(end.name)"])
                } else if case .succeeded = end {
                    try await settleUnpublished(job, logger: logger)
                } else {
                    logger.warning("The job was not this worker's any more", metadata: ["end": "\(end.name)"])
                }
                return
            } catch {
                guard let error = error as? PostgresError, error.isTransient || error.code == .refused,
                    ContinuousClock.now < deadline
                else {
                    // The lease runs out, and whoever claims next takes the job back.
                    logger.error("Cannot write the end down", metadata: ["end": "\(end.name)", "error": "\(error)"])
                    return
                }
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    /// The success changed no row: either it was written before and the answer got lost, or the job is another's.
    private func settleUnpublished(_ job: ClaimedJob, logger: Logger) async throws {
        if try await database.transaction({ try await leases.isPublished(job, on: $0) }) {
            logger.info("Ended", metadata: ["end": "succeeded"])
        } else {
            logger.warning("The job was not this worker's any more; its result is thrown away")
            await runner.discard(job)
        }
    }
}

extension LeaseStore.End {
    var name: String {
        switch self {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .handedBack: "handed-back"
        case .retried: "retried"
        }
    }
}
