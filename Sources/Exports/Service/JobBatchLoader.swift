internal import Directory
internal import Postgres
private import Synchronization

/// Loads the jobs of actors. Requests that arrive while a statement runs share the next one.
///
/// A request that arrives while no statement runs gets a statement at once. So a single caller waits for no other, and many
/// callers cause few statements.
final class JobBatchLoader: Sendable {
    /// How long a request waits while statements for other requests run.
    private static let timeout: Duration = .seconds(10)
    /// Requests in one statement.
    private static let maxBatch = 64
    /// The limits of statements and of time, after which the loader returns its connection to the pool.
    private static let maxStatements = 16
    private static let maxTime: Duration = .milliseconds(100)

    struct Request: Sendable {
        let tenant: String
        let email: String
        let grant: TenantGrant
        let job: JobID
    }

    private struct State {
        var waiting: [Pending] = []
        /// The continuations of requests that wait and of those in the running statement. A cancelled caller removes its own.
        var continuations: [UInt64: CheckedContinuation<JobRecord, any Error>] = [:]
        var isLoading = false
        var nextID: UInt64 = 0
    }

    private struct Pending {
        let id: UInt64
        let request: Request
        let since: ContinuousClock.Instant
    }

    private let pool: PostgresPool
    private let directory: DirectoryDatabase
    private let state = Mutex(State())

    /// - Parameter pool: connects to the jobs' database.
    init(pool: PostgresPool, directory: DirectoryDatabase) {
        self.pool = pool
        self.directory = directory
    }

    /// The job, if it is the actor's own.
    ///
    /// - Throws: ``DirectoryError/denied(_:)`` for an actor that does not exist or is ambiguous; ``TenantNotGranted``;
    ///   ``QueueError/notFound``; ``DirectoryUnavailable``; ``PostgresError``; `CancellationError`.
    func job(_ request: Request) async throws -> JobRecord {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isFirst = state.withLock { state in
                    state.waiting.append(Pending(id: id, request: request, since: .now))
                    state.continuations[id] = continuation
                    defer { state.isLoading = true }
                    return !state.isLoading
                }
                // Detached, because the task also loads for other callers: a caller's cancellation must not end it, and it must
                // not wait for a connection in the flow of one caller.
                if isFirst { Task.detached { await self.loadAll() } }
                if Task.isCancelled { self.end(id, .failure(CancellationError())) }
            }
        } onCancel: {
            end(id, .failure(CancellationError()))
        }
    }

    private func end(_ id: UInt64, _ result: Result<JobRecord, any Error>) {
        state.withLock { $0.continuations.removeValue(forKey: id) }?.resume(with: result)
    }

    private func loadAll() async {
        while let batch = take(orEnd: true) {
            do {
                // With two databases, each batch needs a connection to both.
                guard try !directory.isApart else {
                    end(batch, try await load(batch.map(\.request)))
                    continue
                }
                try await pool.withStatement(role: DatabaseRole.api) { try await self.load(from: batch, on: $0) }
            } catch let failed as BatchFailure {
                end(failed.batch, await results(of: failed.batch.map(\.request), after: failed.cause))
            } catch {
                // Behind a pooler, the commit can fail after the answers.
                let left = state.withLock { state in batch.filter { state.continuations[$0.id] != nil } }
                end(left, await results(of: left.map(\.request), after: error))
            }
        }
    }

    /// The statement for a batch has failed; those before it have not.
    private struct BatchFailure: Error {
        let batch: [Pending]
        let cause: any Error
    }

    /// Loads a batch, and then those that wait, on the thread of the connection: a change of threads takes as long as a statement.
    ///
    /// - Throws: ``BatchFailure``
    private func load(from first: [Pending], on connection: isolated PostgresConnection) async throws {
        var batch = first
        var statements = 0
        let begin = ContinuousClock.now
        while true {
            do {
                end(batch, try await load(batch.map(\.request), on: connection))
            } catch {
                throw BatchFailure(batch: batch, cause: error)
            }
            statements += 1
            guard statements < Self.maxStatements, begin.duration(to: .now) < Self.maxTime, let next = take(orEnd: false)
            else { return }
            batch = next
        }
    }

    /// Takes the next batch.
    ///
    /// - Parameter ends: whether the caller ends if there is none.
    private func take(orEnd ends: Bool) -> [Pending]? {
        let (batch, late) = state.withLock { state in
            let limit = ContinuousClock.now - Self.timeout
            state.waiting.removeAll { state.continuations[$0.id] == nil }
            let late = Array(state.waiting.prefix { $0.since < limit })
            state.waiting.removeFirst(late.count)
            let batch = Array(state.waiting.prefix(Self.maxBatch))
            state.waiting.removeFirst(batch.count)
            if batch.isEmpty, ends { state.isLoading = false }
            return (batch, late)
        }
        for late in late {
            end(late.id, .failure(PostgresError(.timedOut, "the database was too slow", query: "lookup")))
        }
        return batch.isEmpty ? nil : batch
    }

    private func end(_ batch: [Pending], _ results: [Result<JobRecord, any Error>]) {
        for (pending, result) in zip(batch, results) { end(pending.id, result) }
    }

    private func results(of requests: [Request]) async -> [Result<JobRecord, any Error>] {
        do {
            return try await load(requests)
        } catch {
            return await results(of: requests, after: error)
        }
    }

    private func results(of requests: [Request], after error: any Error) async -> [Result<JobRecord, any Error>] {
        guard let error = error as? PostgresError else { return requests.map { _ in .failure(error) } }
        if !error.isTransient, requests.count > 1 {
            // One of the requests may cause the error. Only that one must fail.
            var results: [Result<JobRecord, any Error>] = []
            for request in requests { results += await self.results(of: [request]) }
            return results
        }
        guard error.isUnstorableText else { return requests.map { _ in .failure(error) } }
        return requests.map { request in
            .failure(ActorReference.labels(tenant: request.tenant, email: request.email).unstorable ?? error)
        }
    }

    /// The actors of the requests, by the position of the request. Uses the indexes that ``NamedAdministrators`` needs.
    static let actors = """
        SELECT request.place, t.id::text AS named_tenant, actor.count AS actors, actor.key AS named_actor
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS request (slug, email, place)
        LEFT JOIN directory.tenant t ON \(NamedAdministrators.isExactly("t.slug", "request.slug"))
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT named.id) AS count, min(named.id::text) AS key
            FROM \(NamedAdministrators.sql("id", tenant: "t.id", email: "request.email")) AS named
        ) AS actor ON true
        """

    /// The same with their jobs, if the jobs' database has the directory. Uses the primary keys of jobs and leases.
    ///
    /// Each job is a subquery with LIMIT, which the planner does not turn into a join: a plan that was made for an empty table would
    /// otherwise read every job of the tenant, or of the table.
    static let sql = """
        SELECT actors.place, actors.named_tenant, actors.actors, actors.named_actor, job.*
        FROM (\(actors)) AS actors
        JOIN unnest($3::uuid[]) WITH ORDINALITY AS wanted (job, place) ON wanted.place = actors.place
        LEFT JOIN LATERAL (\(job(tenant: "actors.named_tenant", actor: "actors.named_actor"))) AS job ON true
        """

    /// The jobs of known actors.
    static let jobs = """
        SELECT wanted.place, job.*
        FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS wanted (tenant, actor, job, place)
        JOIN LATERAL (\(job(tenant: "wanted.tenant", actor: "wanted.actor"))) AS job ON true
        """

    private static func job(tenant: String, actor: String) -> String {
        """
        SELECT \(JobRecord.columns) FROM \(JobRecord.source)
            WHERE j.id = wanted.job AND j.tenant_key = \(tenant) AND j.actor_key = \(actor) LIMIT 1
        """
    }

    private func load(_ requests: [Request]) async throws -> [Result<JobRecord, any Error>] {
        guard try directory.isApart else {
            return try await pool.withStatement(role: DatabaseRole.api) { try await self.load(requests, on: $0) }
        }
        let keys = try directory.keys
        let query = Query("lookup-actors", Self.actors, Self.actors(of: requests))
        let actors = try await directory.read { try await $0.query(query) }
        let found = try Self.placed(actors, requests, keys) { row, request in try Self.actor(row, request, keys) }
        return try await jobs(of: found, requests)
    }

    /// The jobs, if the jobs' database has the directory.
    private func load(
        _ requests: [Request], on connection: isolated PostgresConnection
    ) async throws -> [Result<JobRecord, any Error>] {
        let keys = try directory.keys
        let query = Query("lookup", Self.sql, Self.actors(of: requests) + [.texts(requests.map(\.job.description))])
        return try Self.placed(try await connection.query(query), requests, keys) { row, request in
            _ = try Self.actor(row, request, keys)
            guard try row.decodeIfPresent("id", as: String.self) != nil else { throw QueueError.notFound }
            return try JobRecord(row)
        }
    }

    private static func actors(of requests: [Request]) -> [Query.Parameter] {
        [.texts(requests.map(\.tenant)), .texts(requests.map(\.email))]
    }

    /// The jobs of the actors that were found, and the errors of the others.
    private func jobs(
        of actors: [Result<ActorKeys, any Error>], _ requests: [Request]
    ) async throws -> [Result<JobRecord, any Error>] {
        var results: [Result<JobRecord, any Error>] = actors.map { $0.flatMap { _ in .failure(QueueError.notFound) } }
        let known = actors.indices.compactMap { index in (try? actors[index].get()).map { (index: index, actor: $0) } }
        guard !known.isEmpty else { return results }
        let query = Query(
            "lookup-jobs", Self.jobs,
            [
                .texts(known.map(\.actor.tenantKey)), .texts(known.map(\.actor.key)),
                .texts(known.map { requests[$0.index].job.description }),
            ])
        for row in try await pool.withStatement(role: DatabaseRole.api, { try await $0.query(query) }) {
            let place: Int = try row.decode("place")
            guard known.indices.contains(place - 1) else { continue }
            results[known[place - 1].index] = Result { try JobRecord(row) }
        }
        return results
    }

    /// A result for each request, in their order.
    private static func placed<Value>(
        _ rows: [Row], _ requests: [Request], _ keys: KeyTypes, _ value: (Row, Request) throws -> Value
    ) throws -> [Result<Value, any Error>] {
        var placed: [[Row]] = requests.map { _ in [] }
        for row in rows {
            let place: Int = try row.decode("place")
            guard placed.indices.contains(place - 1) else { continue }
            placed[place - 1].append(row)
        }
        return zip(placed, requests).map { rows, request in
            Result {
                guard let row = rows.first else { throw QueueError.notFound }
                guard rows.count == 1 else { throw try severalTenants(rows, request, keys) }
                return try value(row, request)
            }
        }
    }

    /// The error for a request with several rows: each row is of a tenant with the slug. The same rule as in
    /// ``ExportPermission``.
    ///
    /// - Throws: ``TenantNotGranted``, before the error can reveal anything about the tenants.
    private static func severalTenants(_ rows: [Row], _ request: Request, _ keys: KeyTypes) throws -> DirectoryError {
        let tenants: [String] = try rows.map { try $0.decodeIfPresent("named_tenant") ?? "" }
        for tenant in tenants { try request.grant.check(slug: request.tenant, key: tenant, keys) }
        guard Set(tenants).count == 1 else { return .doubled("tenant", "slug", request.tenant) }
        let isAmbiguous = try rows.contains { try $0.decode("actors", as: Int.self) > 1 }
        return isAmbiguous ? .denied(.ambiguousActor) : .doubled("tenant", tenants[0])
    }

    private struct ActorKeys {
        let tenantKey: String
        let key: String
    }

    private static func actor(_ row: Row, _ request: Request, _ keys: KeyTypes) throws -> ActorKeys {
        let tenant: String? = try row.decodeIfPresent("named_tenant")
        try request.grant.check(slug: request.tenant, key: tenant ?? "", keys)
        guard let tenant else { throw DirectoryError.denied(.unknownTenant) }
        switch try row.decode("actors", as: Int.self) {
        case 0: throw DirectoryError.denied(.unknownAdministrator)
        case 1: return ActorKeys(tenantKey: tenant, key: try row.decode("named_actor"))
        default: throw DirectoryError.denied(.ambiguousActor)
        }
    }
}
