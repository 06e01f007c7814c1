import Logging
import Postgres
import TestSupport
import Testing

@testable import Exports

/// When a job is taken from a worker because its session with the database has ended.
@Suite(.timeLimit(.minutes(10))) struct SessionProofTests {
    private static let lease: Duration = .seconds(600)
    private let jobs = JobStore()
    private let leases = LeaseStore(tenantLimit: { 2 }, lease: lease, deadline: .seconds(3_600), retention: .seconds(3_600))
    private let registry = WorkerRegistry()
    private let maintenance = QueueMaintenance(lease: .milliseconds(1))

    /// Another worker, which looks, with the session that it holds.
    private func looker(_ pool: PostgresPool, _ database: TestDatabase) async throws -> (
        id: WorkerID, session: PostgresConnection
    ) {
        let session = try await database.connect(user: TestDatabase.serviceUser)
        let proof = SessionProof(changed: WakeSignal())
        try await proof.hold(on: session)
        let (id, lock) = (WorkerID(), proof.lock)
        try await worker(pool) {
            _ = try await registry.register(
                WorkerRegistration(id: id, host: "h", version: "v", slots: 1, storage: "ok", counters: "{}"), on: $0)
        }
        try await worker(pool) { try await registry.record(lock, lease: Self.lease, of: id, on: $0) }
        return (id, session)
    }

    /// A worker that runs a job.
    private func busyWorker(_ pool: PostgresPool) async throws -> WorkerID {
        let id = WorkerID()
        _ = try await pool.withTransaction(role: DatabaseRole.api) {
            try await jobs.enqueue(
                JobStore.Request(
                    tenantKey: "1", tenantSlug: "t", actorKey: "a", actorEmail: "a@x", options: "{}", idempotency: nil),
                JobStore.Limits(queued: 10), peer: CallingProcess(uid: 1, gid: 2, pid: 3), on: $0)
        }
        _ = try await worker(pool) {
            try await registry.register(
                WorkerRegistration(id: id, host: "h", version: "v", slots: 1, storage: "ok", counters: "{}"), on: $0)
        }
        _ = try #require(try await worker(pool) { try await leases.claim(worker: id, on: $0) }.job)
        return id
    }

    /// Whether a poll of another worker and a sweep find the job.
    private func isTaken(_ pool: PostgresPool, _ looker: WorkerID, by maintenance: QueueMaintenance? = nil) async throws
        -> Bool
    {
        let taker = maintenance ?? self.maintenance
        let short = LeaseStore(
            tenantLimit: { 2 }, lease: taker.lease, deadline: .seconds(3_600), retention: .seconds(3_600))
        let isDue = try await worker(pool) {
            try await short.poll(.init(worker: looker, history: .seconds(3_600)), on: $0)
        }.isSweepDue
        let isTaken = try await worker(pool) { try await taker.sweep(.sessionOver, worker: looker, on: $0) } != nil
        #expect(isDue == isTaken)
        return isTaken
    }

    @Test("A job is taken when the worker's session has ended and its lease is not renewed; it counts no crash")
    func ended() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let looker = try await looker(pool, database)
            let id = try await busyWorker(pool)
            let proof = SessionProof(changed: WakeSignal())
            let session = try await database.connect(user: TestDatabase.serviceUser)
            try await proof.hold(on: session)
            let lock = try #require(proof.lock)
            try await worker(pool) { try await registry.record(lock, lease: Self.lease, of: id, on: $0) }
            #expect(try await database.text("SELECT proof_lock FROM adminexport.worker WHERE id = '\(id)'") == "\(lock)")
            let silence = "UPDATE adminexport.lease SET expires_at = clock_timestamp() + interval '597 s'"
            let renewal = "UPDATE adminexport.lease SET expires_at = clock_timestamp() + interval '600 s'"
            // The session lives: a stopped process keeps its job until the end of the lease.
            try await database.execute(silence)
            #expect(try await !isTaken(pool, looker.id))
            try await session.query(Query("free", "SELECT pg_advisory_unlock_all() IS NULL AS done"))
            // The session is gone, but somebody renews the lease.
            try await database.execute(renewal)
            #expect(try await !isTaken(pool, looker.id))
            try await database.execute(silence)
            // After a start of the server, and on another server, every lock is free.
            #expect(try await !isTaken(pool, looker.id, by: QueueMaintenance(lease: .seconds(365 * 86_400))))
            try await database.execute(
                "UPDATE adminexport.worker SET proof_server = proof_server - interval '1 s' WHERE id = '\(id)'")
            #expect(try await !isTaken(pool, looker.id))
            try await database.execute("UPDATE adminexport.worker SET proof_server = NULL WHERE id = '\(id)'")
            #expect(try await !isTaken(pool, looker.id))
            try await database.execute("UPDATE adminexport.worker SET proof_server = pg_postmaster_start_time()")
            // A crash of the server frees every lock and does not change its start: the one who looks has lost its session, too, or
            // has had it for less than five seconds and not since before the last renewal.
            try await looker.session.query(Query("free", "SELECT pg_advisory_unlock_all() IS NULL AS done"))
            #expect(try await !isTaken(pool, looker.id))
            let later = try await self.looker(pool, database)
            try await database.execute("UPDATE adminexport.lease SET expires_at = clock_timestamp() + interval '596 s'")
            #expect(try await !isTaken(pool, later.id))
            try await database.execute(
                "UPDATE adminexport.worker SET proof_at = proof_at - interval '5 s' WHERE id = '\(later.id)'")
            #expect(try await isTaken(pool, later.id))
            #expect(try await database.text("SELECT state || crashes || losses FROM adminexport.job") == "queued01")
        }
    }

    @Test(
        "A lock that the server of the database does not show is not recorded, and the row forgets a session that has ended")
    func recorded() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let id = try await busyWorker(pool)
            let session = try await database.connect(user: TestDatabase.serviceUser)
            let proof = SessionProof(changed: WakeSignal())
            try await proof.hold(on: session)
            for (lock, isRecorded) in [(4_711, false), (proof.lock, true), (nil, false)] {
                try await worker(pool) { try await registry.record(lock, lease: Self.lease, of: id, on: $0) }
                let row = try await database.text(
                    "SELECT num_nonnulls(proof_lock, proof_server) || '' FROM adminexport.worker")
                #expect(row == (isRecorded ? "2" : "0"))
            }
        }
    }

    @Test("The session that listens holds the lock, and a new session holds a new one")
    func listens() async throws {
        try await TestDatabase.with { database in
            let worker = Worker.idle(database.pool(), leases)
            let proof = worker.proof
            let listener = QueueListener(
                TestDatabase.options(database: database.name, user: TestDatabase.serviceUser), worker: worker,
                logger: Logger(label: "test"))
            let task = Task { try await listener.run() }
            defer { task.cancel() }
            var former: Int?
            for _ in 0..<2 {
                while proof.lock == nil || proof.lock == former { await worker.wakeSignal.wait(for: .seconds(60)) }
                let lock = try #require(proof.lock)
                let holders =
                    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = \(lock)"
                #expect(try await database.text("SELECT count(*) \(holders)") == "1")
                former = lock
                try await database.execute("SELECT pg_terminate_backend(pid) \(holders)")
            }
        }
    }

    @Test("A job whose workers' sessions end fails at the sixth, and crashes of other kinds do not add to it")
    func losses() {
        var job = JobMachine()
        for loss in 1...JobMachine.maxLosses {
            #expect(job.apply(.claimed) && job.apply(.swept(.sessionOver)))
            #expect(job.state == (loss < JobMachine.maxLosses ? .queued : .failed) && job.crashes == 0)
        }
    }
}
