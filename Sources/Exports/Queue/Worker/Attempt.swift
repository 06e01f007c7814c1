internal import Logging
private import Postgres
internal import ServiceLifecycle

/// One attempt at a job, from the claim until its end is written.
struct Attempt: Sendable {
    let job: ClaimedJob
    let lease: LeaseClock
    private let worker: Worker
    private let logger: Logger

    init(_ job: ClaimedJob, _ lease: LeaseClock, of worker: Worker) {
        self.job = job
        self.lease = lease
        self.worker = worker
        logger = worker.logger.with([.job: job.id, .epoch: job.epoch])
    }

    private enum RunResult: Sendable {
        case done(JobResult)
        case failed(any Error)
        case stopped(Heartbeat.StopReason)
        case draining
    }

    /// Runs the job beside its heartbeat. The first result decides and is written at once. A run that hangs on a disk keeps the worker's
    /// slot, but neither the job nor the tenant's slot.
    ///
    /// - Returns: whether a joined claim has given the slot of this run to another job.
    func run() async -> Bool {
        logger.report(ExportEvent.attemptStarted, [.attempt: job.attempt, .tenant: job.tenantSlug])
        worker.configuration.observe(.claimed, job)
        let progress = ProgressCounter { worker.configuration.observe($0, job) }
        let heartbeat = Heartbeat(
            job: job, progress: progress, lease: lease, leases: worker.leases, database: worker.database, logger: logger)
        return await withTaskGroup(of: RunResult?.self) { group in
            group.addTask {
                do {
                    return .done(try await worker.runner.run(job, progress: progress, lease: lease))
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                do {
                    return .stopped(try await heartbeat.run())
                } catch is CancellationError {
                    // The run ended first.
                    return nil
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                do {
                    try await gracefulShutdown()
                    try await worker.drain.wait()
                    return .draining
                } catch {
                    return nil
                }
            }
            var isSettled = false
            var isReplaced = false
            for await next in group {
                guard let next else { continue }
                if !isSettled {
                    isSettled = true
                    group.cancelAll()
                    isReplaced = await settle(next)
                    worker.running.settle(job)
                } else if case .done = next {
                    // The run finished although it was stopped. Its result is not published.
                    await worker.runner.discard(job)
                }
            }
            return isReplaced
        }
    }

    /// - Returns: as ``run()``.
    private func settle(_ result: RunResult) async -> Bool {
        let end: AttemptEnd
        switch result {
        case .done(let result):
            worker.configuration.observe(.beforePublish, job)
            end = .succeeded(result)
        case .stopped(.cancelRequested): end = .cancelled
        case .stopped(.overdue): end = .failed(.deadlineExceeded)
        case .stopped(.leaseLost), .failed(is LeaseOver): end = returned
        case .draining: end = .handedBack
        case .failed(is CancellationError) where worker.isStopping: end = .handedBack
        case .failed(let error): end = retryOrFail(error)
        }
        let mayClaim = !worker.isStopping
        // In a task of its own, so that the cancellation of this one does not stop it.
        let isReplaced = await Task { await write(end, mayClaim: mayClaim) }.value
        if case .succeeded = end { worker.configuration.observe(.afterPublish, job) }
        return isReplaced
    }

    private func retryOrFail(_ error: any Error) -> AttemptEnd {
        let failure = worker.runner.failure(for: error)
        // The loop checks first whether the worker is ready.
        worker.running.allowClaims(until: nil)
        logger.report(ExportEvent.attemptFailed, [.kind: failure.kind, .transient: failure.isTransient, .error: error])
        guard failure.isTransient else { return .failed(failure) }
        return .retried(
            failure,
            AttemptEnd.RetryPolicy(
                delay: delay,
                giveUpAfter: failure.isTriedUntilDeadline ? worker.leases.deadline : worker.configuration.giveUpAfter))
    }

    private var returned: AttemptEnd {
        .returned(
            AttemptEnd.RetryPolicy(
                delay: delay, giveUpAfter: worker.configuration.giveUpAfter, minAttempts: worker.configuration.maxReturns))
    }

    private var delay: Duration {
        Backoff.delay(beforeAttempt: job.attempt, first: .seconds(1), cap: worker.configuration.maxRetryDelay)
    }

    // MARK: Writing the end

    /// How long it tries to write the end after the lease has expired. By then another worker has swept the job.
    private static let writeTimeout: Duration = .seconds(60)
    /// The same for a process that stops, after the end of its ``Drain``. The process has at least this time then.
    private static let stopWriteTimeout: Duration = .seconds(12)

    /// Writes the end, and tries again while the database is unreachable.
    ///
    /// If the lease has expired, or the statement changes nothing, the attempt hands the job back, which needs no lease: an unchanged
    /// epoch proves that no other worker has had the job, and no crash is counted.
    ///
    /// - Parameter mayClaim: whether the first try may also claim a job for the slot.
    /// - Returns: whether that claim got a job.
    private func write(_ wanted: AttemptEnd, mayClaim: Bool) async -> Bool {
        var backoff = Backoff(cap: .seconds(1))
        var mayClaim = mayClaim
        var isReplaced = false
        while true {
            do {
                guard wanted.needsLease, !lease.isOver else {
                    try await handBack(insteadOf: wanted)
                    return isReplaced
                }
                let claim = mayClaim ? JoinedClaim(by: worker) : nil
                // The claim may make the end fail, so a retry makes none.
                mayClaim = false
                let state = try await self.end(wanted, claim)
                isReplaced = claim?.committed() ?? isReplaced
                if let state {
                    logger.report(ExportEvent.attemptEnded, [.end: wanted.name, .state: state.rawValue])
                    count(wanted, state)
                } else {
                    try await handBack(insteadOf: wanted)
                }
                return isReplaced
            } catch {
                let deadline = min(
                    lease.until + Self.writeTimeout, worker.drain.end(and: Self.stopWriteTimeout) ?? .now + Self.writeTimeout
                )
                guard error is PostgresError, ContinuousClock.now < deadline else {
                    // The lease expires and another worker sweeps the job.
                    logger.report(ExportEvent.endNotRecorded, [.end: wanted.name, .error: error])
                    return isReplaced
                }
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Whether the end can be written again within the lease if the claim does not answer.
    private var hasTimeForClaim: Bool {
        ContinuousClock.now.duration(to: lease.until) > worker.leases.lease * 3 / 4
    }

    /// Writes the end, and makes the claim in the same transaction if the attempt has succeeded and the worker has no free slot.
    ///
    /// - Parameter claim: for the slot of this run.
    private func end(_ end: AttemptEnd, _ claim: JoinedClaim? = nil) async throws -> JobState? {
        var ended: JobRecord?
        defer {
            // If the answer was lost, the job may be back in the queue.
            if ended?.state ?? .queued == .queued { worker.running.noteRequeued() }
            // The end of a run signals, too, but a stopped run may hang.
            if ended?.state == .queued { worker.wakeSignal.signal() }
            worker.configuration.onAttemptEnd(ended)
        }
        do {
            ended = try await worker.database.statement { connection in
                guard case .succeeded = end, let claim, hasTimeForClaim, let recent = claim.reserve(replacingRun: true)
                else {
                    return try await worker.leases.end(job, end, of: worker.id, on: connection)
                }
                let (ended, next) = try await worker.leases.end(job, end, thenClaim: recent, by: worker.id, on: connection)
                claim.answered(next)
                return ended
            }
        } catch {
            claim?.failed(error)
            throw error
        }
        if ended == nil { worker.counters.count(.rejected) }
        return ended?.state
    }

    /// Counts the result of the attempt, by the state that the statement has written.
    private func count(_ end: AttemptEnd, _ state: JobState) {
        let counters = worker.counters
        counters.count(end.counter(state))
        guard case .succeeded(let result) = end else { return }
        counters.count(.rows, by: result.rows)
        counters.count(.bytes, by: result.size)
        counters.observe(.run, job.claimedAt.duration(to: .now))
    }

    /// Hands the job back. It discards the result only when no statement under way can publish it any more: the row is queued again,
    /// or has another epoch, or is final and does not name this epoch.
    private func handBack(insteadOf wanted: AttemptEnd) async throws {
        let back = wanted.needsLease ? returned : wanted
        let state = try await end(back)
        if case .succeeded = wanted {
            // The success may be in the database although its answer was lost.
            if state == nil, try await worker.database.transaction({ try await worker.leases.isPublished(job, on: $0) }) {
                logger.report(ExportEvent.attemptEnded, [.end: wanted.name, .state: JobState.succeeded.rawValue])
                count(wanted, .succeeded)
                return
            }
            await worker.runner.discard(job)
        }
        if let state {
            logger.report(ExportEvent.attemptEnded, [.end: back.name, .wanted: wanted.name, .state: state.rawValue])
            count(back, state)
        } else {
            logger.report(ExportEvent.lateWriteRefused, [.end: wanted.name])
        }
    }
}

extension AttemptEnd {
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

/// Renews the lease of a running job, stores its progress, and finds out when the run must stop.
struct Heartbeat: Sendable {
    /// How often it stores progress while rows are written, and checks the job's row.
    private static let tick: Duration = .milliseconds(500)

    let job: ClaimedJob
    let progress: ProgressCounter
    let lease: LeaseClock
    let leases: LeaseStore
    let database: JobDatabase
    let logger: Logger

    /// Why the run must stop.
    enum StopReason: Sendable, Equatable {
        case cancelRequested
        case overdue
        case leaseLost
    }

    /// Runs until the run must stop, or until the task is cancelled. A worker that cannot renew stops when its lease has expired by
    /// its own clock; see ``LeaseClock``.
    func run() async throws -> StopReason {
        var renewed = ContinuousClock.now
        var stored = -1
        while true {
            try await Task.sleep(for: Self.tick)
            guard !lease.isOver else { return .leaseLost }
            let now = ContinuousClock.now
            let current = progress.current
            let writes = now - renewed >= min(SessionProof.renewalInterval, leases.lease / 3) || current.rowsDone != stored
            do {
                switch try await ask(writing: writes, current) {
                case .held: break
                case nil, .lost: return .leaseLost
                case .cancelRequested: return .cancelRequested
                case .overdue: return .overdue
                }
                if writes {
                    renewed = now
                    lease.renew(until: now + leases.lease)
                    stored = current.rowsDone
                }
            } catch let error as PostgresError {
                // The error may pass before the lease expires, and the export has not caused it.
                logger.report(ExportEvent.leaseNotRenewed, [.error: error])
            }
        }
    }

    /// Renews or reads; nil if the lease expires before the answer arrives.
    private func ask(
        writing: Bool, _ current: (rowsDone: Int, rowsTotal: Int?)
    ) async throws -> LeaseStore.Renewal? {
        try await withThrowingTaskGroup(of: LeaseStore.Renewal?.self) { group in
            group.addTask {
                try await database.statement { connection in
                    writing
                        ? try await leases.renew(
                            job, rowsDone: current.rowsDone, rowsTotal: current.rowsTotal, on: connection)
                        : try await leases.peek(job, on: connection)
                }
            }
            group.addTask {
                try await Task.sleep(until: lease.until)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
