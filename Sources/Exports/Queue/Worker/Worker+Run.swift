internal import Logging
private import Postgres
internal import ServiceLifecycle

extension Worker {
    private enum RunResult: Sendable {
        case done(JobResult)
        case failed(any Error)
        case verdict(Heartbeat.Verdict)
        case stopping
    }

    /// Runs the job beside its heartbeat. Whichever ends first decides, and is written down at once: a run that hangs on a disk
    /// keeps its slot, but neither its job nor its tenant's place.
    func execute(_ job: ClaimedJob, _ lease: LeaseClock) async {
        let logger = logger.with([.job: job.id, .epoch: job.epoch])
        logger.report(ExportEvent.attemptStarted, [.attempt: job.attempt, .tenant: job.tenantSlug])
        configuration.observe(.claimed, job)
        let progress = ProgressCounter { configuration.observe($0, job) }
        let heartbeat = Heartbeat(
            job: job, progress: progress, lease: lease, leases: leases, database: database, logger: logger)
        await withTaskGroup(of: RunResult?.self) { group in
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
                    try await drain.wait()
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

    private func settle(_ job: ClaimedJob, _ outcome: RunResult, _ lease: LeaseClock, logger: Logger) async {
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
        logger.report(
            ExportEvent.attemptFailed, [.kind: failure.kind, .transient: failure.isTransient, .error: error])
        guard failure.isTransient else { return .failed(failure) }
        return .retried(
            failure, delay: delay(after: job),
            giveUpAfter: failure.isTriedUntilDeadline ? leases.deadline : configuration.giveUpAfter)
    }

    private func returned(_ job: ClaimedJob) -> LeaseStore.End {
        .returned(
            delay: delay(after: job), attempts: configuration.maxReturns, giveUpAfter: configuration.giveUpAfter)
    }

    private func delay(after job: ClaimedJob) -> Duration {
        Backoff.delay(beforeAttempt: job.attempt, first: .seconds(1), cap: configuration.maxRetryDelay)
    }

    /// How long the end of an attempt is tried to be written down after the lease is over; then whoever claims next has taken
    /// the job back long ago.
    private static let patience: Duration = .seconds(60)
    /// The same for a process that has been told to stop, after what its ``Drain`` gives it: within what the process has then.
    private static let stopPatience: Duration = .seconds(12)

    /// Writes the end down, again and again while the database is away.
    ///
    /// When the lease is over, or the statement changes nothing, the job is handed back, which takes no lease: if the epoch is
    /// unchanged nobody else has had the job, and no crash is counted.
    private func write(_ job: ClaimedJob, _ wanted: LeaseStore.End, _ lease: LeaseClock, logger: Logger) async {
        var backoff = Backoff(cap: .seconds(1))
        while true {
            do {
                if wanted.needsLease, !lease.isOver, let state = try await ended(job, wanted) {
                    logger.report(ExportEvent.attemptEnded, [.end: wanted.name, .state: state.rawValue])
                    tally(job, wanted, state)
                } else {
                    try await handBack(job, insteadOf: wanted, logger: logger)
                }
                return
            } catch {
                let patience = min(
                    lease.until + Self.patience, drain.end(and: Self.stopPatience) ?? .now + Self.patience)
                guard error is PostgresError, ContinuousClock.now < patience else {
                    // The lease runs out, and whoever claims next takes the job back.
                    logger.report(ExportEvent.endNotRecorded, [.end: wanted.name, .error: error])
                    return
                }
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    private func ended(_ job: ClaimedJob, _ end: LeaseStore.End) async throws -> JobState? {
        let state = try await database.statement { try await leases.end(job, end, on: $0) }
        if state == nil { counters.count(.rejected) }
        return state
    }

    /// Counts what became of the attempt, which is the statement's to say: a job that is tried again for too long fails.
    private func tally(_ job: ClaimedJob, _ end: LeaseStore.End, _ state: JobState) {
        counters.count(end.counter(state))
        guard case .succeeded(let result) = end else { return }
        counters.count(.rows, by: result.rows)
        counters.count(.bytes, by: result.size)
        counters.observe(.run, job.claimedAt.duration(to: .now))
    }

    /// Gives the job back, and throws its result away once no statement that is still on its way can publish it: the row is in
    /// the queue again, or has another epoch, or is over without naming this one.
    private func handBack(_ job: ClaimedJob, insteadOf wanted: LeaseStore.End, logger: Logger) async throws {
        let back = wanted.needsLease ? returned(job) : wanted
        let state = try await ended(job, back)
        if case .succeeded = wanted {
            // A success may have been written although its answer got lost.
            if state == nil, try await database.transaction({ try await leases.isPublished(job, on: $0) }) {
                logger.report(ExportEvent.attemptEnded, [.end: wanted.name, .state: JobState.succeeded.rawValue])
                tally(job, wanted, .succeeded)
                return
            }
            await runner.discard(job)
        }
        if let state {
            logger.report(
                ExportEvent.attemptEnded, [.end: "given-back", .wanted: wanted.name, .state: state.rawValue])
            tally(job, back, state)
        } else {
            logger.report(ExportEvent.lateWriteRefused, [.end: wanted.name])
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

    fileprivate func counter(_ state: JobState) -> WorkerCounters.Name {
        switch (self, state) {
        case (.succeeded, _): .succeeded
        case (_, .failed): .failed
        case (_, .cancelled): .cancelled
        case (.handedBack, _): .handedBack
        case (.returned, _): .returned
        case (.retried, _), (.failed, _), (.cancelled, _): .retried
        }
    }
}
