internal import Directory
internal import Jobs
internal import Postgres
private import Synchronization

/// Looks actors' jobs up, as many in one statement as are asked for at the same moment.
///
/// Whoever asks while nobody does is answered at once; whoever asks meanwhile is in the next statement. So a single caller waits for
/// nobody, and a crowd costs the database a statement for all of them.
final class JobLookup: Sendable {
    /// Who has waited so long while others' statements ran is told that the database is slow.
    private static let patience: Duration = .seconds(10)
    /// Questions in one statement.
    private static let most = 64

    struct Question: Sendable {
        let tenant: String
        let email: String
        let job: JobID
    }

    private struct State {
        var waiting: [Asked] = []
        /// Of those who wait and of those whose statement is under way. Who goes away takes their own with them.
        var answers: [UInt64: CheckedContinuation<Job, any Error>] = [:]
        var isAsking = false
        var nextID: UInt64 = 0
    }

    private struct Asked {
        let id: UInt64
        let question: Question
        let since: ContinuousClock.Instant
    }

    private let pool: PostgresPool
    private let role: String
    private let state = Mutex(State())

    init(pool: PostgresPool, role: String) {
        self.pool = pool
        self.role = role
    }

    /// The job, if it is the actor's own.
    ///
    /// - Throws: ``DirectoryError/denied(_:)`` for an actor that is not there, or is there twice; ``JobsError/notFound``;
    ///   ``PostgresError``; `CancellationError`.
    func job(_ question: Question) async throws -> Job {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { answer in
                let isFirst = state.withLock { state in
                    state.waiting.append(Asked(id: id, question: question, since: .now))
                    state.answers[id] = answer
                    defer { state.isAsking = true }
                    return !state.isAsking
                }
                // Of nobody's task: the answers are for others too, and one who goes away is not to take them along.
                // And of nobody's party: in the pool's queue it does not stand behind what this caller asks besides.
                if isFirst { Task { await PostgresPool.withParty(0) { await self.answerAll() } } }
                if Task.isCancelled { self.giveUp(id) }
            }
        } onCancel: {
            giveUp(id)
        }
    }

    private func giveUp(_ id: UInt64) {
        answer(id, .failure(CancellationError()))
    }

    private func answer(_ id: UInt64, _ result: Result<Job, any Error>) {
        state.withLock { $0.answers.removeValue(forKey: id) }?.resume(with: result)
    }

    private func answerAll() async {
        while true {
            let (asked, late) = state.withLock { state in
                let until = ContinuousClock.now - Self.patience
                state.waiting.removeAll { state.answers[$0.id] == nil }
                let late = state.waiting.prefix { $0.since < until }
                state.waiting.removeFirst(late.count)
                let asked = Array(state.waiting.prefix(Self.most))
                state.waiting.removeFirst(asked.count)
                if asked.isEmpty { state.isAsking = false }
                return (asked, Array(late))
            }
            for late in late {
                answer(late.id, .failure(PostgresError(.timedOut, "the database was too slow", query: "lookup")))
            }
            guard !asked.isEmpty else { return }
            let answers = await self.answers(to: asked.map(\.question))
            for (index, asked) in asked.enumerated() { answer(asked.id, answers[index]) }
        }
    }

    private func answers(to questions: [Question]) async -> [Result<Job, any Error>] {
        do {
            return try await look(for: questions)
        } catch let error as PostgresError where !error.isTransient && questions.count > 1 {
            // One of them is to blame, and the others are not to suffer for it.
            var answers: [Result<Job, any Error>] = []
            for question in questions { answers += await self.answers(to: [question]) }
            return answers
        } catch {
            return questions.map { _ in .failure(error) }
        }
    }

    /// Uses the indexes that ``NamedAdministrators`` needs and the primary keys of jobs and leases.
    private static let sql = """
        SELECT asked.place, t.id IS NOT NULL AS has_tenant, actor.count AS actors, \(Job.columns)
        FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS asked (slug, email, job, place)
        LEFT JOIN directory.tenant t ON \(NamedAdministrators.isExactly("t.slug", "asked.slug"))
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT named.id) AS count, min(named.id::text) AS key
            FROM \(NamedAdministrators.sql("id", tenant: "t.id", email: "asked.email")) AS named
        ) AS actor ON true
        LEFT JOIN (\(Job.source))
            ON j.id = asked.job AND j.tenant_key = t.id::text AND j.actor_key = actor.key
        """

    private func look(for questions: [Question]) async throws -> [Result<Job, any Error>] {
        let query = Query(
            "lookup", Self.sql,
            [
                .texts(questions.map(\.tenant)), .texts(questions.map(\.email)),
                .texts(questions.map(\.job.description)),
            ])
        let rows = try await pool.withStatement(role: role) { try await $0.query(query) }
        var answers: [Result<Job, any Error>] = questions.map { _ in .failure(JobsError.notFound) }
        var places: Set<Int> = []
        for row in rows {
            let place: Int = try row.decode("place")
            guard answers.indices.contains(place - 1) else { continue }
            // A slug that two tenants have names neither.
            answers[place - 1] =
                places.insert(place).inserted
                ? Result { try Self.answer(row) } : .failure(DirectoryError.denied(.ambiguousActor))
        }
        return answers
    }

    private static func answer(_ row: Row) throws -> Job {
        guard try row.decode("has_tenant") else { throw DirectoryError.denied(.unknownTenant) }
        switch try row.decode("actors", as: Int.self) {
        case 0: throw DirectoryError.denied(.unknownAdministrator)
        case 1: break
        default: throw DirectoryError.denied(.ambiguousActor)
        }
        guard try row.decodeIfPresent("id", as: String.self) != nil else { throw JobsError.notFound }
        return try Job(row)
    }
}
