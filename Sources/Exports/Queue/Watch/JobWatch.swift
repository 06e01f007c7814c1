package import Logging
internal import ServiceLifecycle
private import Synchronization

/// Reports changes of jobs to watchers: with one query per tick for all watchers, and one more when a job ends.
package final class JobWatch: Service {
    private static let tick: Duration = .milliseconds(250)
    /// The minimum time between two queries, for each watched job.
    private static let spacing: Duration = .microseconds(25)
    /// The wait without watchers.
    private static let idle: Duration = .seconds(3_600)

    /// Receives the changed job; or ``QueueError/notFound`` for a job that was removed, or an error of the database.
    package typealias Handler = @Sendable (Result<JobRecord, any Error>) -> Void

    private let database: JobDatabase
    private let store = JobStore()
    private let logger: Logger
    private let state = Mutex(State())
    /// Signalled when a job has ended, so that its watchers need not wait for the next tick; and by the first watcher.
    package let wakeSignal = WakeSignal()

    private struct State {
        var list = WatchList<JobRecord>()
        var watchers: [Int: Handler] = [:]
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
        let (id, isFirst) = state.withLock { state in
            let isFirst = state.list.isEmpty
            let id = state.list.add(job, after: revision, continuously: continuously, at: .now)
            state.watchers[id] = handler
            return (id, isFirst)
        }
        // The next tick finds further watchers.
        if isFirst { wakeSignal.signal() }
        return id
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
            while !Task.isCancelled {
                let watched = self.state.withLock { $0.list.count }
                if watched > 0 { hasFailed = await self.poll(hasFailed: hasFailed) }
                await self.wakeSignal.wait(for: watched > 0 ? Self.tick : Self.idle)
                // Limits the load of many watchers while many jobs end.
                if watched > 0 { try? await Task.sleep(for: min(Self.tick, Self.spacing * watched)) }
            }
        }
    }

    /// - Returns: whether the database did not answer.
    private func poll(hasFailed: Bool) async -> Bool {
        let known = state.withLock { $0.list.knownRevisions(at: .now) }
        do {
            let jobs = try await database.statement { [store] in try await store.changed(since: known, on: $0) }
            for (handler, update) in updates(jobs, known) {
                switch update {
                case .job(let job): handler(.success(job))
                case .gone: handler(.failure(QueueError.notFound))
                }
            }
            return false
        } catch {
            if Task.isCancelled { return hasFailed }
            if !hasFailed { logger.report(ExportEvent.watchFailed, [.error: error]) }
            for handler in singleWatchers() { handler(.failure(error)) }
            return true
        }
    }

    private func updates(_ jobs: [JobRecord], _ known: [JobID: Int]) -> [(Handler, WatchList<JobRecord>.Update)] {
        state.withLock { state in
            state.list.apply(jobs, to: known, at: .now).compactMap { id, update in
                guard let handler = state.watchers[id] else { return nil }
                if !state.list.contains(id) { state.watchers[id] = nil }
                return (handler, update)
            }
        }
    }

    private func singleWatchers() -> [Handler] {
        state.withLock { state in
            state.list.removeSingle().compactMap { state.watchers.removeValue(forKey: $0) }
        }
    }
}
