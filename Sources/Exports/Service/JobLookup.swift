internal import Directory
internal import Jobs
internal import Postgres
private import Synchronization

/// Looks actors' jobs up, as many in one statement as are asked for at the same moment.
///
/// Whoever asks while nobody does is answered at once; whoever asks meanwhile is in the next statement. So a single caller waits for
/// nobody, and a crowd costs the database a statement for all of them.
final class JobLookup: Sendable {
    /// Questions in one statement.
    private static let most = 64

    struct Question: Sendable {
        let tenant: String
        let email: String
        let job: JobID
    }

    private struct State {
        var waiting: [(id: UInt64, question: Question, answer: CheckedContinuation<Job, any Error>)] = []
        var isAsking = false
        var nextID: UInt64 = 0
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
                    state.waiting.append((id, question, answer))
                    defer { state.isAsking = true }
                    return !state.isAsking
                }
                // Of nobody's task: the answers are for others too, and one who goes away is not to take them along.
                if isFirst { Task { await self.answerAll() } }
                if Task.isCancelled { self.giveUp(id) }
            }
        } onCancel: {
            giveUp(id)
        }
    }

    private func giveUp(_ id: UInt64) {
        let answer = state.withLock { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0).answer }
        }
        answer?.resume(throwing: CancellationError())
    }

    private func answerAll() async {
        while true {
            let asked = state.withLock { state in
                let asked = Array(state.waiting.prefix(Self.most))
                state.waiting.removeFirst(asked.count)
                if asked.isEmpty { state.isAsking = false }
                return asked
            }
            guard !asked.isEmpty else { return }
            do {
                let answers = try await look(for: asked.map(\.question))
                for (index, asked) in asked.enumerated() { asked.answer.resume(with: answers[index]) }
            } catch {
                for asked in asked { asked.answer.resume(throwing: error) }
            }
        }
    }

    /// Uses the indexes on `tenant (slug)`, `administrator (tenant_id, email)` and the primary keys of jobs and leases. Two
    /// administrators are enough to see that a name is ambiguous.
    private static let sql = """
        SELECT asked.place, t.id IS NOT NULL AS has_tenant, actor.count AS actors, \(Job.columns)
        FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS asked (slug, email, job, place)
        LEFT JOIN directory.tenant t ON t.slug = asked.slug
        LEFT JOIN LATERAL (
            SELECT count(*) AS count, min(found.key) AS key
            FROM (SELECT a.id::text AS key FROM directory.administrator a
                  WHERE a.tenant_id = t.id AND a.email = asked.email LIMIT 2) AS found
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
        for row in rows {
            let place: Int = try row.decode("place")
            guard answers.indices.contains(place - 1) else { continue }
            answers[place - 1] = Result { try Self.answer(row) }
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
