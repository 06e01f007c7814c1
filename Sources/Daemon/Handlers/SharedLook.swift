private import Postgres

/// Looks for all who ask: one look at a time, and none where the last is fresh.
actor SharedLook<Answer: Sendable> {
    private let freshness: Duration
    private let look: @Sendable () async -> Answer
    private var looking: Task<Answer, Never>?
    private var last: (answer: Answer, at: ContinuousClock.Instant)?

    init(freshFor freshness: Duration, look: @escaping @Sendable () async -> Answer) {
        self.freshness = freshness
        self.look = look
    }

    func answer() async -> Answer {
        if let looking { return await looking.value }
        if let last, last.at.duration(to: .now) < freshness { return last.answer }
        // On nobody's account: whoever comes first may have a long line of its own.
        let task = Task { [look] in await PostgresPool.withParty(0) { await look() } }
        looking = task
        let answer = await task.value
        looking = nil
        last = (answer, .now)
        return answer
    }
}
