package import Logging
internal import ServiceLifecycle
private import Synchronization

/// Reports changes of jobs to watchers. One query per tick serves all of them, and a notification from another process causes one at once.
/// The end of an attempt in this process needs no query, unless its result is unknown or its texts are long.
package final class JobWatch: Service {
    private static let tick: Duration = .milliseconds(250)
    /// The minimum time between two queries, for each watched job.
    private static let spacing: Duration = .microseconds(25)
    /// The wait without watchers.
    private static let idle: Duration = .seconds(3_600)
    /// The wait before the query for the first watcher. Its job may have changed since the watcher has read it, or end soon.
    private static let firstQueryDelay: Duration = .milliseconds(20)
    /// The maximum number of changed jobs in memory. A query finds the others.
    private static let maxChanged = 256
    /// The maximum size of the texts of each, in bytes.
    private static let maxTextSize = 4 * 1024

    /// Receives the changed job; or ``QueueError/notFound`` for a job that was removed, or an error of the database.
    package typealias Handler = @Sendable (Result<JobRecord, any Error>) -> Void

    private let database: JobDatabase
    private let store = JobStore()
    private let logger: Logger
    private let state = Mutex(State())
    private let wakeSignal = WakeSignal()

    private struct State {
        var list = WatchList<JobRecord>()
        var watchers: [Int: Handler] = [:]
        /// When the next query is due.
        var nextQuery = ContinuousClock.now
        /// The jobs that the worker of this process changed last, in that order: a watcher may come after the change.
        var changed: [JobRecord] = []
        /// Changed jobs that their watchers have not received yet.
        var unreported: [JobRecord] = []

        /// Queues a job for its watchers.
        ///
        /// - Returns: false if the list is full.
        mutating func enqueue(_ job: JobRecord) -> Bool {
            guard unreported.count < JobWatch.maxChanged else { return false }
            unreported.append(job)
            return true
        }
    }

    /// A watch without watchers. ``run()`` serves them.
    package init(database: JobDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Adds a watcher; see ``WatchList`` for when it is called.
    ///
    /// - Parameters:
    ///   - job: the job as the watcher knows it.
    ///   - revision: the watcher is called for a greater revision.
    ///   - continuously: until the job is final, also while the database is unreachable; otherwise once, also for an error.
    /// - Returns: the id for ``cancel(_:)``.
    package func watch(_ job: JobRecord, after revision: Int, continuously: Bool, _ handler: @escaping Handler) -> Int {
        let (id, wakes) = state.withLock { state in
            let isFirst = state.list.isEmpty
            let id = state.list.add(job, after: revision, continuously: continuously, at: .now)
            state.watchers[id] = handler
            // The next query finds further watchers.
            if isFirst { state.nextQuery = .now + Self.firstQueryDelay }
            let changed = state.changed.last { $0.id == job.id && $0.revision > revision }
            let isReported = changed.map { state.enqueue($0) } ?? false
            return (id, isReported || isFirst)
        }
        if wakes { wakeSignal.signal() }
        return id
    }

    /// Makes the next query due now, because a job has ended. The pause after the previous query still applies.
    package func queryNow() {
        state.withLock { $0.nextQuery = .now }
        wakeSignal.signal()
    }

    /// Reports a job that the worker of this process has changed, after the commit.
    package func reportChange(of job: JobRecord) {
        guard job.textSize <= Self.maxTextSize else { return queryNow() }
        let isWatched = state.withLock { state in
            if state.changed.count == Self.maxChanged { state.changed.removeFirst(Self.maxChanged / 2) }
            state.changed.append(job)
            return state.list.isWatched(job.id) && state.enqueue(job)
        }
        if isWatched { wakeSignal.signal() }
    }

    /// Removes a watcher. A call of its handler that has begun continues.
    package func cancel(_ id: Int) {
        state.withLock { state in
            state.list.remove(id)
            state.watchers[id] = nil
        }
    }

    /// Waits for a revision greater than the given one.
    ///
    /// - Returns: nil if there was none within the time.
    package func change(of job: JobRecord, after revision: Int, within time: Duration) async throws -> JobRecord? {
        let (changes, continuation) = AsyncThrowingStream.makeStream(
            of: JobRecord.self, bufferingPolicy: .bufferingNewest(1))
        let id = watch(job, after: revision, continuously: false) { result in
            continuation.yield(with: result)
            continuation.finish()
        }
        defer { cancel(id) }
        let timer = Task {
            try await Task.sleep(for: time)
            continuation.finish()
        }
        defer { timer.cancel() }
        for try await job in changes { return job }
        try Task.checkCancellation()
        return nil
    }

    /// Queries the watched jobs until the service stops.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var hasFailed = false
            // Limits the load of many watchers while many jobs end.
            var earliest = ContinuousClock.now
            while !Task.isCancelled {
                self.reportChanged()
                let now = ContinuousClock.now
                let (watched, wait) = self.state.withLock { state in
                    let wait = state.list.isEmpty ? Self.idle : now.duration(to: max(state.nextQuery, earliest))
                    if wait <= .zero { state.nextQuery = now + Self.tick }
                    return (state.list.count, wait)
                }
                if wait > .zero {
                    await self.wakeSignal.wait(for: wait)
                } else {
                    hasFailed = await self.poll(hasFailed: hasFailed)
                    // A slow database gets a pause as long as the query, but at most a tick.
                    earliest = .now + min(Self.tick, max(Self.spacing * watched, now.duration(to: .now)))
                }
            }
        }
    }

    /// Passes queued changes to the watchers. Only ``run()`` calls handlers, so each gets the revisions of a job in order.
    private func reportChanged() {
        let unreported = state.withLock { state in
            defer { state.unreported = [] }
            return state.unreported
        }
        for job in unreported { report([job], known: [:]) }
    }

    /// - Returns: whether the database did not answer.
    private func poll(hasFailed: Bool) async -> Bool {
        let known = state.withLock { $0.list.knownRevisions(at: .now) }
        do {
            let jobs = try await database.statement { [store] in try await store.changed(since: known, on: $0) }
            report(jobs, known: known)
            return false
        } catch {
            if Task.isCancelled { return hasFailed }
            if !hasFailed { logger.report(ExportEvent.watchFailed, [.error: error]) }
            for handler in singleWatchers() { handler(.failure(error)) }
            return true
        }
    }

    private func report(_ jobs: [JobRecord], known: [JobID: Int]) {
        let updates: [(Handler, WatchList<JobRecord>.Update)] = state.withLock { state in
            state.list.apply(jobs, to: known, at: .now).compactMap { id, update in
                guard let handler = state.watchers[id] else { return nil }
                if !state.list.contains(id) { state.watchers[id] = nil }
                return (handler, update)
            }
        }
        for (handler, update) in updates {
            switch update {
            case .job(let job): handler(.success(job))
            case .gone: handler(.failure(QueueError.notFound))
            }
        }
    }

    private func singleWatchers() -> [Handler] {
        state.withLock { state in
            state.list.removeSingle().compactMap { state.watchers.removeValue(forKey: $0) }
        }
    }
}
