/// What can be watched: a job, or in tests what stands for one.
protocol Watchable: Sendable {
    var id: JobID { get }
    var state: JobState { get }
    var revision: Int { get }
}

extension JobRecord: Watchable {}

/// Who wants to know of which jobs, what of them they know, and what they are to be told. A pure value.
///
/// A change of state is told at once. Progress is told at most once in ``minInterval``, and what has not changed is told again
/// after ``keepAliveInterval``, so that whoever watches sees that the service is there.
struct WatchList<JobRecord: Watchable> {
    static var minInterval: Duration { .milliseconds(500) }
    static var keepAliveInterval: Duration { .seconds(5) }

    enum Update: Sendable {
        case job(JobRecord)
        /// There is no such job any more.
        case gone
    }

    private struct Watch {
        let job: JobID
        /// Goes on until the job is final; else it ends with the first news.
        let isContinuous: Bool
        var revision: Int
        var state: JobState
        var told: ContinuousClock.Instant

        /// The revision past which there are news; nil where there are some in any case.
        func known(at now: ContinuousClock.Instant) -> Int? {
            isContinuous && told.duration(to: now) >= WatchList.keepAliveInterval ? nil : revision
        }

        func isNews(_ job: JobRecord, at now: ContinuousClock.Instant) -> Bool {
            guard job.revision > revision else { return known(at: now) == nil }
            return !isContinuous || job.state != state || told.duration(to: now) >= WatchList.minInterval
        }
    }

    private var watches: [Int: Watch] = [:]
    private var nextID = 0

    var isEmpty: Bool { watches.isEmpty }
    var count: Int { watches.count }

    func contains(_ id: Int) -> Bool { watches[id] != nil }

    /// - Parameter revision: the last one that the watcher knows.
    mutating func add(_ job: JobRecord, after revision: Int, continuously: Bool, at now: ContinuousClock.Instant) -> Int {
        defer { nextID += 1 }
        watches[nextID] = Watch(job: job.id, isContinuous: continuously, revision: revision, state: job.state, told: now)
        return nextID
    }

    mutating func remove(_ id: Int) {
        watches[id] = nil
    }

    /// Takes out those that want one answer, for when none can be had.
    mutating func removeSingle() -> [Int] {
        let ids = watches.filter { !$0.value.isContinuous }.map(\.key)
        for id in ids { watches[id] = nil }
        return ids
    }

    /// The jobs to ask for, each with the least revision that somebody knows of it; -1 where it is wanted in any case.
    func questions(at now: ContinuousClock.Instant) -> [JobID: Int] {
        var questions: [JobID: Int] = [:]
        for watch in watches.values {
            let known = watch.known(at: now) ?? -1
            questions[watch.job] = min(questions[watch.job] ?? known, known)
        }
        return questions
    }

    /// Takes the jobs that have changed, and gives who is to be told what. Those who need no more are forgotten.
    mutating func answer(
        _ jobs: [JobRecord], to questions: [JobID: Int], at now: ContinuousClock.Instant
    ) -> [(id: Int, news: Update)] {
        let jobs = Dictionary(jobs.map { ($0.id, $0) }) { first, _ in first }
        var answers: [(id: Int, news: Update)] = []
        for (id, var watch) in watches {
            guard let job = jobs[watch.job] else {
                // It was asked for in any case, and is not there.
                if questions[watch.job] == -1 {
                    answers.append((id, .gone))
                    watches[id] = nil
                }
                continue
            }
            guard watch.isNews(job, at: now) else { continue }
            answers.append((id, .job(job)))
            (watch.revision, watch.state, watch.told) = (job.revision, job.state, now)
            watches[id] = watch.isContinuous && !job.state.isFinal ? watch : nil
        }
        return answers
    }
}
