internal import Directory
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
        let grant: TenantGrant
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
    private let directory: DirectoryDatabase
    private let state = Mutex(State())

    /// - Parameter pool: of the jobs' database.
    init(pool: PostgresPool, directory: DirectoryDatabase) {
        self.pool = pool
        self.directory = directory
    }

    /// The job, if it is the actor's own.
    ///
    /// - Throws: ``DirectoryError/denied(_:)`` for an actor that is not there, or is there twice; ``TenantNotGranted``;
    ///   ``JobsError/notFound``; ``DirectoryUnavailable``; ``PostgresError``; `CancellationError`.
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
        } catch let error as PostgresError where error.isUnstorableText {
            return questions.map { question in
                .failure(ActorReference.labels(tenant: question.tenant, email: question.email).unstorable ?? error)
            }
        } catch {
            return questions.map { _ in .failure(error) }
        }
    }

    /// Who they are that ask, by place. Uses the indexes that ``NamedAdministrators`` needs.
    static let actors = """
        SELECT asked.place, t.id::text AS named_tenant, actor.count AS actors, actor.key AS named_actor
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (slug, email, place)
        LEFT JOIN directory.tenant t ON \(NamedAdministrators.isExactly("t.slug", "asked.slug"))
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT named.id) AS count, min(named.id::text) AS key
            FROM \(NamedAdministrators.sql("id", tenant: "t.id", email: "asked.email")) AS named
        ) AS actor ON true
        """

    /// The same with their jobs, where the jobs' database has the directory. Uses the primary keys of jobs and leases.
    static let sql = """
        SELECT actors.place, actors.named_tenant, actors.actors, actors.named_actor, \(Job.columns)
        FROM (\(actors)) AS actors
        JOIN unnest($3::uuid[]) WITH ORDINALITY AS wanted (job, place) ON wanted.place = actors.place
        LEFT JOIN (\(Job.source))
            ON j.id = wanted.job AND j.tenant_key = actors.named_tenant AND j.actor_key = actors.named_actor
        """

    /// Jobs of those who are known already.
    private static let jobs = """
        SELECT wanted.place, \(Job.columns)
        FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS wanted (tenant, actor, job, place)
        JOIN (\(Job.source)) ON j.id = wanted.job AND j.tenant_key = wanted.tenant AND j.actor_key = wanted.actor
        """

    private func look(for questions: [Question]) async throws -> [Result<Job, any Error>] {
        let keys = try directory.keys
        let who: [Query.Parameter] = [.texts(questions.map(\.tenant)), .texts(questions.map(\.email))]
        guard try directory.isApart else {
            let query = Query("lookup", Self.sql, who + [.texts(questions.map(\.job.description))])
            let rows = try await pool.withStatement(role: DatabaseRole.api) { try await $0.query(query) }
            return try Self.placed(rows, questions, keys) { row, question in
                _ = try Self.actor(row, question, keys)
                guard try row.decodeIfPresent("id", as: String.self) != nil else { throw JobsError.notFound }
                return try Job(row)
            }
        }
        let actors = try await directory.read { try await $0.query(Query("lookup-actors", Self.actors, who)) }
        let found = try Self.placed(actors, questions, keys) { row, question in try Self.actor(row, question, keys) }
        return try await jobs(of: found, questions)
    }

    /// The jobs of those who are known; whoever is not is told what is said of them.
    private func jobs(
        of actors: [Result<Actor, any Error>], _ questions: [Question]
    ) async throws -> [Result<Job, any Error>] {
        var answers: [Result<Job, any Error>] = actors.map { $0.flatMap { _ in .failure(JobsError.notFound) } }
        let known = actors.indices.compactMap { index in (try? actors[index].get()).map { (index: index, actor: $0) } }
        guard !known.isEmpty else { return answers }
        let query = Query(
            "lookup-jobs", Self.jobs,
            [
                .texts(known.map(\.actor.tenantKey)), .texts(known.map(\.actor.key)),
                .texts(known.map { questions[$0.index].job.description }),
            ])
        for row in try await pool.withStatement(role: DatabaseRole.api, { try await $0.query(query) }) {
            let place: Int = try row.decode("place")
            guard known.indices.contains(place - 1) else { continue }
            answers[known[place - 1].index] = Result { try Job(row) }
        }
        return answers
    }

    /// An answer for each question, in their order.
    private static func placed<Answer>(
        _ rows: [Row], _ questions: [Question], _ keys: KeyTypes, _ answer: (Row, Question) throws -> Answer
    ) throws -> [Result<Answer, any Error>] {
        var placed: [[Row]] = questions.map { _ in [] }
        for row in rows {
            let place: Int = try row.decode("place")
            guard placed.indices.contains(place - 1) else { continue }
            placed[place - 1].append(row)
        }
        return zip(placed, questions).map { rows, question in
            Result {
                guard let row = rows.first else { throw JobsError.notFound }
                guard rows.count == 1 else { throw try severalTenants(rows, question, keys) }
                return try answer(row, question)
            }
        }
    }

    /// Why there are several rows for a question: each is of a tenant with the slug. As ``Access`` has it for all other methods.
    ///
    /// - Throws: ``TenantNotGranted``, before anything is told about the tenants.
    private static func severalTenants(_ rows: [Row], _ question: Question, _ keys: KeyTypes) throws -> DirectoryError {
        let tenants: [String] = try rows.map { try $0.decodeIfPresent("named_tenant") ?? "" }
        for tenant in tenants { try question.grant.check(slug: question.tenant, key: tenant, keys) }
        guard Set(tenants).count == 1 else { return .doubled("tenant", "slug", question.tenant) }
        let isAmbiguous = try rows.contains { try $0.decode("actors", as: Int.self) > 1 }
        return isAmbiguous ? .denied(.ambiguousActor) : .doubled("tenant", tenants[0])
    }

    private struct Actor {
        let tenantKey: String
        let key: String
    }

    private static func actor(_ row: Row, _ question: Question, _ keys: KeyTypes) throws -> Actor {
        let tenant: String? = try row.decodeIfPresent("named_tenant")
        try question.grant.check(slug: question.tenant, key: tenant ?? "", keys)
        guard let tenant else { throw DirectoryError.denied(.unknownTenant) }
        switch try row.decode("actors", as: Int.self) {
        case 0: throw DirectoryError.denied(.unknownAdministrator)
        case 1: return Actor(tenantKey: tenant, key: try row.decode("named_actor"))
        default: throw DirectoryError.denied(.ambiguousActor)
        }
    }
}
