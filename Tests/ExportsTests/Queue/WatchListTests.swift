import Testing

@testable import Exports

private struct Sample: Watchable {
    let id: JobID
    let state: JobState
    let revision: Int

    init(_ state: JobState, revision: Int) {
        self.init(JobID(), state, revision)
    }

    init(_ sample: Sample, _ state: JobState, _ revision: Int) {
        self.init(sample.id, state, revision)
    }

    private init(_ id: JobID, _ state: JobState, _ revision: Int) {
        self.id = id
        self.state = state
        self.revision = revision
    }
}

@Suite struct WatchListTests {
    private static let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        Self.start + .milliseconds(milliseconds)
    }

    private func revisions(_ answers: [(id: Int, update: WatchList<Sample>.Update)]) -> [Int: Int] {
        Dictionary(
            uniqueKeysWithValues: answers.map { id, update in
                if case .job(let job) = update { (id, job.revision) } else { (id, -1) }
            })
    }

    @Test("Two hundred watchers of two hundred jobs need one query, with the lowest revision that watchers of a job know")
    func oneQuestion() {
        var list = WatchList<Sample>()
        let jobs = (1...200).map { Sample(.running, revision: $0) }
        for job in jobs { _ = list.add(job, after: job.revision, continuously: true, at: at(0)) }
        // If two watchers know different revisions of a job, the query contains the lower one.
        _ = list.add(jobs[9], after: 3, continuously: false, at: at(0))
        let questions = list.knownRevisions(at: at(250))
        #expect(questions.count == 200)
        #expect(questions[jobs[9].id] == 3 && questions[jobs[10].id] == 11)
    }

    @Test("A watcher gets progress at most every half second and a change of state at once; the final state ends the watch")
    func pace() {
        var list = WatchList<Sample>()
        let job = Sample(.running, revision: 1)
        let id = list.add(job, after: 1, continuously: true, at: at(0))
        func answer(_ state: JobState, _ revision: Int, _ time: Int) -> [Int: Int] {
            let questions = list.knownRevisions(at: at(time))
            return revisions(list.apply([Sample(job, state, revision)], to: questions, at: at(time)))
        }
        #expect(answer(.running, 2, 250).isEmpty)
        #expect(answer(.running, 3, 500) == [id: 3])
        #expect(answer(.running, 4, 750).isEmpty)
        #expect(answer(.queued, 5, 800) == [id: 5])
        #expect(answer(.running, 6, 850) == [id: 6])
        #expect(answer(.succeeded, 7, 900) == [id: 7])
        #expect(list.isEmpty)
    }

    @Test("A watcher gets an unchanged job again after five seconds, and a deleted job ends the watch")
    func heartbeat() {
        var list = WatchList<Sample>()
        let job = Sample(.queued, revision: 1)
        let id = list.add(job, after: 1, continuously: true, at: at(0))
        #expect(list.knownRevisions(at: at(4_900)) == [job.id: 1])
        let questions = list.knownRevisions(at: at(5_000))
        #expect(questions == [job.id: -1])
        #expect(revisions(list.apply([job], to: questions, at: at(5_000))) == [id: 1])
        #expect(list.knownRevisions(at: at(9_900)) == [job.id: 1])
        #expect(revisions(list.apply([], to: list.knownRevisions(at: at(10_000)), at: at(10_000))) == [id: -1])
        #expect(list.isEmpty)
    }

    @Test("A job that comes without a query reaches its own watchers, and ends no other watch")
    func withoutQuery() {
        var list = WatchList<Sample>()
        let (job, other) = (Sample(.running, revision: 5), Sample(.running, revision: 5))
        let ids = [true, false].map { list.add(job, after: 5, continuously: $0, at: at(0)) }
        _ = list.add(other, after: 5, continuously: true, at: at(0))
        // Also when the watchers are due for the job in any case.
        let answers = list.apply([Sample(job, .succeeded, 6)], to: [:], at: at(6_000))
        #expect(revisions(answers) == [ids[0]: 6, ids[1]: 6])
        #expect(!list.isWatched(job.id) && list.isWatched(other.id) && list.count == 1)
        // Without a query, a known revision is not an update, even if the watcher is due for one.
        #expect(list.apply([Sample(other, .queued, 4), Sample(other, .running, 5)], to: [:], at: at(6_000)).isEmpty)
        // A job that nobody watches any more.
        #expect(list.apply([Sample(job, .succeeded, 7)], to: [:], at: at(6_000)).isEmpty)
    }

    @Test("A watcher of one change gets this change once, whenever it happens")
    func single() {
        var list = WatchList<Sample>()
        let job = Sample(.running, revision: 5)
        let id = list.add(job, after: 5, continuously: false, at: at(0))
        #expect(list.apply([job], to: list.knownRevisions(at: at(60_000)), at: at(60_000)).isEmpty)
        #expect(revisions(list.apply([Sample(job, .running, 6)], to: [job.id: 5], at: at(60_010))) == [id: 6])
        #expect(list.isEmpty)
    }
}
