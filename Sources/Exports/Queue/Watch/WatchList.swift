/// What can be watched: a job, or a value in tests.
protocol Watchable: Sendable {
    var id: JobID { get }
    var state: JobState { get }
    var revision: Int { get }
}

extension JobRecord: Watchable {}

/// The watchers of jobs, what each one knows, and what it gets next. A pure value.
///
/// A watcher gets a change of state at once, and progress at most once per ``minInterval``. After ``keepAliveInterval`` without a change
/// it gets the job again, which shows that the service is alive.
struct WatchList<Job: Watchable> {
    static var minInterval: Duration { .milliseconds(500) }
    static var keepAliveInterval: Duration { .seconds(5) }

    enum Update: Sendable {
        case job(Job)
        /// The job no longer exists.
        case gone
    }

    private struct Watch {
        let job: JobID
        /// Continues until the job is final; otherwise it ends with the first update.
        let isContinuous: Bool
        var revision: Int
        var state: JobState
        /// The time of the last update.
        var updated: ContinuousClock.Instant

        /// A greater revision is an update; nil if any revision is.
        func known(at now: ContinuousClock.Instant) -> Int? {
            isContinuous && updated.duration(to: now) >= WatchList.keepAliveInterval ? nil : revision
        }

        func isUpdate(_ job: Job, at now: ContinuousClock.Instant) -> Bool {
            guard job.revision > revision else { return known(at: now) == nil }
            return !isContinuous || job.state != state || updated.duration(to: now) >= WatchList.minInterval
        }
    }

    private var watches: [Int: Watch] = [:]
    /// The watches of each job.
    private var watchIDs: [JobID: Set<Int>] = [:]
    private var nextID = 0

    var isEmpty: Bool { watches.isEmpty }
    var count: Int { watches.count }

    func contains(_ id: Int) -> Bool { watches[id] != nil }
    func isWatched(_ job: JobID) -> Bool { watchIDs[job] != nil }

    /// - Parameter revision: the last one that the watcher knows.
    mutating func add(_ job: Job, after revision: Int, continuously: Bool, at now: ContinuousClock.Instant) -> Int {
        defer { nextID += 1 }
        watches[nextID] = Watch(job: job.id, isContinuous: continuously, revision: revision, state: job.state, updated: now)
        watchIDs[job.id, default: []].insert(nextID)
        return nextID
    }

    mutating func remove(_ id: Int) {
        guard let watch = watches.removeValue(forKey: id) else { return }
        watchIDs[watch.job]?.remove(id)
        if watchIDs[watch.job]?.isEmpty == true { watchIDs[watch.job] = nil }
    }

    /// Removes the watchers of a single change, after an error.
    mutating func removeSingle() -> [Int] {
        let single = watches.filter { !$0.value.isContinuous }.map(\.key)
        for id in single { remove(id) }
        return single
    }

    /// The jobs to query, each with the smallest revision that a watcher knows; -1 if it is needed in any case.
    func knownRevisions(at now: ContinuousClock.Instant) -> [JobID: Int] {
        var revisions: [JobID: Int] = [:]
        for watch in watches.values {
            let known = watch.known(at: now) ?? -1
            revisions[watch.job] = min(revisions[watch.job] ?? known, known)
        }
        return revisions
    }

    /// Takes the jobs that have changed, and returns the updates of the watchers. Removes watchers that need no more.
    ///
    /// - Parameter known: what a query asked for; empty if the jobs come without one.
    mutating func apply(
        _ jobs: [Job], to known: [JobID: Int], at now: ContinuousClock.Instant
    ) -> [(id: Int, update: Update)] {
        let jobs = Dictionary(jobs.map { ($0.id, $0) }) { first, _ in first }
        var updates: [(id: Int, update: Update)] = []
        // The query asked for these jobs at any revision, so they no longer exist.
        for (missing, revision) in known where revision == -1 && jobs[missing] == nil {
            for id in watchIDs[missing] ?? [] {
                updates.append((id, .gone))
                remove(id)
            }
        }
        for job in jobs.values {
            for id in watchIDs[job.id] ?? [] {
                // Without a query, a watcher gets only a newer revision. The answer to a query may repeat one as a sign of life.
                guard var watch = watches[id], watch.isUpdate(job, at: now),
                    known[job.id] != nil || job.revision > watch.revision
                else { continue }
                updates.append((id, .job(job)))
                (watch.revision, watch.state, watch.updated) = (job.revision, job.state, now)
                watches[id] = watch
                if !watch.isContinuous || job.state.isFinal { remove(id) }
            }
        }
        return updates
    }
}
