import Logging
import Postgres
import Synchronization
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct JobWatchTests {
    private let leases = LeaseStore(
        tenantLimit: { 1 }, lease: .seconds(60), deadline: .seconds(60), retention: .seconds(60))

    /// The job before its end and after it.
    private func ended(
        _ pool: PostgresPool, slug: String = "acme", by end: AttemptEnd = .succeeded(.sample)
    ) async throws -> (before: JobRecord, after: JobRecord) {
        let request = JobStore.Request(
            tenantKey: "1", tenantSlug: slug, actorKey: "2", actorEmail: "a@acme.example", options: "{}", idempotency: nil)
        let job = try await api(pool) {
            try await JobStore().enqueue(request, .init(queued: 9), peer: .init(uid: 1, gid: 1, pid: 1), on: $0)
        }.job
        let id = WorkerID()
        let claimed = try #require(try await worker(pool) { try await leases.claim(worker: id, on: $0) }.job)
        let ended = try #require(
            try await worker(pool) { try await leases.end(claimed, end, of: id, on: $0) })
        return (job, ended)
    }

    @Test("Ending an attempt returns the same record as a query")
    func record() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let (before, after) = try await ended(pool)
            let read = try await api(pool) {
                try await JobStore().get(before.id, owner: .anyone(ofTenants: nil), on: $0)
            }
            #expect("\(after)" == "\(read)" && after.state == .succeeded && after.revision > before.revision)
        }
    }

    @Test("A change by the worker of this process reaches watchers without a query, also watchers added after it")
    func withoutQuery() async throws {
        try await TestDatabase.with { database in
            let (before, after) = try await ended(database.pool())
            let pool = database.pool()
            let watch = JobWatch(database: JobDatabase(pool: pool, role: DatabaseRole.api), logger: Logger(label: "test"))
            let (revisions, told) = AsyncStream.makeStream(of: Int.self)
            let tell: JobWatch.Handler = { told.yield((try? $0.get().revision) ?? 0) }
            _ = watch.watch(before, after: before.revision, continuously: true, tell)
            watch.reportChange(of: after)
            _ = watch.watch(before, after: before.revision, continuously: false, tell)
            let task = Task { try await watch.run() }
            defer { task.cancel() }
            var received: [Int] = []
            for await revision in revisions {
                received.append(revision)
                if received.count == 2 { break }
            }
            #expect(received == [after.revision, after.revision])
            #expect(pool.figures.opened == 0)
        }
    }

    @Test("The first watcher of a job that this process has put back into the queue starts the queries")
    func firstWatcher() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let (_, queued) = try await ended(pool, by: .handedBack)
            #expect(queued.state == .queued)
            let watch = JobWatch(database: JobDatabase(pool: pool, role: DatabaseRole.api), logger: Logger(label: "test"))
            watch.reportChange(of: queued)
            let task = Task { try await watch.run() }
            defer { task.cancel() }
            // Lets run() reach its wait for the first watcher.
            for _ in 0..<100 { await Task.yield() }
            async let change = watch.change(of: queued, after: queued.revision, within: .seconds(60))
            try await database.execute("UPDATE adminexport.job SET revision = revision + 1")
            #expect(try await change?.revision == queued.revision + 1)
        }
    }

    @Test("A job with long texts is not kept in memory; a query finds its end")
    func longTexts() async throws {
        try await TestDatabase.with { database in
            let (before, after) = try await ended(database.pool(), slug: String(repeating: "é", count: 3_000))
            let pool = database.pool()
            let watch = JobWatch(database: JobDatabase(pool: pool, role: DatabaseRole.api), logger: Logger(label: "test"))
            watch.reportChange(of: after)
            let task = Task { try await watch.run() }
            defer { task.cancel() }
            let found = try await watch.change(of: before, after: before.revision, within: .seconds(60))
            #expect(found?.revision == after.revision && pool.figures.opened == 1)
        }
    }

    @Test("A process ignores a notification that names its own worker, and accepts every other one")
    func notifications() {
        let (own, other) = (WorkerID(), WorkerID())
        #expect(QueueNotification(payload: "ended \(own)", receivedBy: own) == nil)
        #expect(QueueNotification(payload: "work \(own)", receivedBy: own) == nil)
        for worker in [own, nil] {
            #expect(QueueNotification(payload: "ended \(other)", receivedBy: worker) == .ended)
            #expect(QueueNotification(payload: "work \(other)", receivedBy: worker) == .work)
            #expect(QueueNotification(payload: "ended", receivedBy: worker) == .ended)
            for payload in ["", "work", "anything else"] {
                #expect(QueueNotification(payload: payload, receivedBy: worker) == .work)
            }
        }
    }
}
