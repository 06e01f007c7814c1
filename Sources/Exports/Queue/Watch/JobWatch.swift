package import Logging
internal import ServiceLifecycle
private import Synchronization

/// Tells whoever wants to know when jobs change: one query in a tick, however many watch, and one more when a job ends.
package final class JobWatch: Service {
    private static let tick: Duration = .milliseconds(250)
    /// Between two questions, for each job that is watched.
    private static let spacing: Duration = .microseconds(25)
    /// While nobody watches; a bound and no more.
    private static let idle: Duration = .seconds(3_600)

    package typealias Handler = @Sendable (Result<JobRecord, any Error>) -> Void

    private let database: JobDatabase
    private let store = JobStore()
    private let logger: Logger
    private let state = Mutex(State())
    /// Rung when a job is over, so that nobody waits for the next tick; and when somebody comes.
    package let wakeSignal = WakeSignal()

    private struct State {
        var list = WatchList<JobRecord>()
        var watchers: [Int: Handler] = [:]
    }

    package init(database: JobDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Has a watcher told of changes; see ``WatchList`` for when.
    ///
    /// - Parameters:
    ///   - job: as the watcher knows it.
    ///   - revision: told when it has risen past this one.
    ///   - continuously: until the job is final, through times without a database; else once, also of a fault.
    /// - Returns: what ``cancel(_:)`` takes.
    package func watch(_ job: JobRecord, after revision: Int, continuously: Bool, _ tell: @escaping Handler) -> Int {
        let (id, isFirst) = state.withLock { state in
            let isFirst = state.list.isEmpty
            let id = state.list.add(job, after: revision, continuously: continuously, at: .now)
            state.watchers[id] = tell
            return (id, isFirst)
        }
        // Else it is the next tick that finds the newcomer.
        if isFirst { wakeSignal.signal() }
        return id
    }

    package func cancel(_ id: Int) {
        state.withLock { state in
            state.list.remove(id)
            state.watchers[id] = nil
        }
    }

    /// Waits for a revision past the given one.
    ///
    /// - Returns: nil where none came in the time.
    package func change(of job: JobRecord, after revision: Int, within time: Duration) async throws -> JobRecord? {
        let (news, continuation) = AsyncThrowingStream.makeStream(of: JobRecord.self, bufferingPolicy: .bufferingNewest(1))
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
        for try await job in news { return job }
        try Task.checkCancellation()
        return nil
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var hasFailed = false
            while !Task.isCancelled {
                let watched = self.state.withLock { $0.list.count }
                if watched > 0 { hasFailed = await self.ask(hasFailed: hasFailed) }
                await self.wakeSignal.wait(for: watched > 0 ? Self.tick : Self.idle)
                // However fast jobs end, thousands are not asked for all the time.
                if watched > 0 { try? await Task.sleep(for: min(Self.tick, Self.spacing * watched)) }
            }
        }
    }

    /// - Returns: whether the database did not answer.
    private func ask(hasFailed: Bool) async -> Bool {
        let questions = state.withLock { $0.list.questions(at: .now) }
        do {
            let jobs = try await database.statement { [store] in try await store.changed(since: questions, on: $0) }
            for (tell, news) in answers(jobs, questions) {
                switch news {
                case .job(let job): tell(.success(job))
                case .gone: tell(.failure(QueueError.notFound))
                }
            }
            return false
        } catch {
            if Task.isCancelled { return hasFailed }
            if !hasFailed { logger.report(ExportEvent.watchFailed, [.error: error]) }
            for tell in singleWatchers() { tell(.failure(error)) }
            return true
        }
    }

    private func answers(_ jobs: [JobRecord], _ questions: [JobID: Int]) -> [(Handler, WatchList<JobRecord>.Update)] {
        state.withLock { state in
            state.list.answer(jobs, to: questions, at: .now).compactMap { id, news in
                guard let tell = state.watchers[id] else { return nil }
                if !state.list.contains(id) { state.watchers[id] = nil }
                return (tell, news)
            }
        }
    }

    private func singleWatchers() -> [Handler] {
        state.withLock { state in
            state.list.removeSingle().compactMap { state.watchers.removeValue(forKey: $0) }
        }
    }
}
