import Archive
import Directory
import Foundation
import Logging
import Postgres
import Synchronization
import SystemPackage
import Testing
import TestSupport

@testable import Exports

/// Claims in the transactions of starts and ends.
@Suite(.timeLimit(.minutes(10))) struct JoinedClaimTests {
    private static let peer = CallingProcess(uid: 1, gid: 2, pid: 3)
    private static let limits = JobStore.Limits(queued: 10)
    private let jobs = JobStore()
    private let leases = LeaseStore(
        tenantLimit: { 1 }, lease: .seconds(600), deadline: .seconds(3_600), retention: .seconds(3_600))

    private static func request(_ tenant: String, key: String? = nil) -> JobStore.Request {
        JobStore.Request(
            tenantKey: tenant, tenantSlug: "t\(tenant)", actorKey: "a", actorEmail: "a@x", options: "{}",
            idempotency: key.map { ($0, String(repeating: "00", count: 32)) })
    }

    /// A worker whose joined claims may begin, although its loop does not run.
    private func ready(_ pool: PostgresPool, slots: Int = 1) -> Worker {
        let worker = Worker.idle(pool, leases, slots: slots)
        worker.running.allowClaims(until: .now + .seconds(600))
        return worker
    }

    /// Starts a job with a claim of the worker.
    @discardableResult
    private func start(
        _ tenant: String = "1", key: String? = nil, by worker: Worker?, _ pool: PostgresPool
    ) async throws -> JobStore.Started {
        let claim = worker?.joinedClaim()
        let started = try await api(pool) {
            try await jobs.enqueue(Self.request(tenant, key: key), Self.limits, peer: Self.peer, claim: claim, on: $0)
        }
        claim?.committed()
        return started
    }

    private func get(_ id: JobID, _ pool: PostgresPool) async throws -> JobRecord {
        try await api(pool) { try await jobs.get(id, owner: .anyone(ofTenants: nil), on: $0) }
    }

    private static let owner = ActorRequest(
        tenant: "acme", email: "owner@acme.example", grant: TenantGrant(name: "export", tenants: .all), peer: peer)
    private static let options = ExportOptions(includeDisabled: false, includeReferences: false)

    private func service(_ pool: PostgresPool, _ worker: Worker, _ database: TestDatabase) async throws -> ExportService {
        let contract = DirectoryContract()
        try await contract.load(on: database.connect())
        let logger = Logger(label: "test")
        return ExportService(
            pool: pool, directory: DirectoryDatabase(jobs: pool, own: nil, contract: contract),
            disk: ArchiveDisk(store: ArchiveStore(root: FilePath(FileManager.default.temporaryDirectory.path))),
            transfers: Transfers(limits: { Transfers.Limits() }, logger: logger),
            watch: JobWatch(database: JobDatabase(pool: pool, role: DatabaseRole.api), logger: logger),
            trail: AuditWriter(logger: logger) { _ in }, worker: worker, bounds: { Self.limits },
            otherGroups: { .show })
    }

    @Test(
        "If the worker has a free slot, a start inserts and claims its job with one commit, and returns the job as its row is then"
    )
    func running() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let worker = ready(pool)
            let job = try await start(by: worker, pool).job
            #expect(job.state == .running && job.epoch == 1 && job.attempt == 1 && job.queuePosition == nil)
            #expect(try await "\(get(job.id, pool))" == "\(job)")
            #expect(worker.running.own == [job.id] && worker.running.count == 1)
            #expect(
                try await database.text(
                    "SELECT string_agg(event, ',' ORDER BY id) || count(DISTINCT xmin::text) FROM adminexport.audit_event")
                    == "requested,started1")
        }
    }

    /// Why the worker does not claim the job of a start.
    enum Obstacle: CaseIterable {
        case paused, drained, tenantAtLimit, replayed, notReady, full, unknownClaims
    }

    @Test(
        "If the worker must not claim, the job of a start is queued and no slot stays reserved", arguments: Obstacle.allCases
    )
    func obstacles(_ obstacle: Obstacle) async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let worker = ready(pool, slots: 2)
            var slots = 0
            switch obstacle {
            case .paused: try await database.execute("UPDATE adminexport.setting SET value = 'true' WHERE key = 'paused'")
            case .drained:
                try await database.execute(
                    "INSERT INTO adminexport.worker (id, host, version, drain_requested) VALUES ('\(worker.id)', 'h', 'v', true)"
                )
            case .tenantAtLimit:
                try await start(by: worker, pool)
                slots = 1
            case .replayed: try await start(key: "k", by: nil, pool)
            case .notReady: worker.running.allowClaims(until: nil)
            case .full:
                for tenant in ["2", "3"] { try await start(tenant, by: worker, pool) }
                slots = 2
            case .unknownClaims: worker.running.noteUnknown()
            }
            let started = try await start(key: "k", by: worker, pool)
            #expect(started.job.state == .queued && started.isReplayed == (obstacle == .replayed))
            #expect(worker.running.count == slots)
        }
    }

    @Test("The claim of a start gets the job of the tenant whose turn it is; the loop gets the job of the start")
    func fairness() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let earlier = try await start("2", by: nil, pool).job
            let worker = ready(pool, slots: 2)
            let job = try await start("1", by: worker, pool).job
            #expect(job.state == .queued && worker.running.own == [earlier.id])
            #expect(try await get(earlier.id, pool).state == .running)
            #expect(try await leases.claim(worker: worker.id, on: pool).job?.id == job.id)
        }
    }

    /// Makes claims fail in the database, or succeed again.
    private func claims(fail: Bool, _ database: TestDatabase) async throws {
        try await database.execute(
            fail
                ? """
                CREATE OR REPLACE FUNCTION adminexport.fail() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM nextval(''adminexport.failures''); RAISE division_by_zero; END';
                CREATE SEQUENCE IF NOT EXISTS adminexport.failures; GRANT USAGE ON SEQUENCE adminexport.failures TO adminexport_worker;
                CREATE TRIGGER fail BEFORE UPDATE ON adminexport.tenant_slot FOR EACH ROW WHEN (NEW.turn <> OLD.turn)
                    EXECUTE FUNCTION adminexport.fail()
                """ : "DROP TRIGGER fail ON adminexport.tenant_slot")
    }

    @Test("After a joined claim fails, its slot is free, and no joined claim begins until a claim of the loop has succeeded")
    func failures() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let worker = ready(pool)
            try await claims(fail: true, database)
            let claim = worker.joinedClaim()
            let error = await #expect(throws: PostgresError.self) {
                try await api(pool) {
                    try await jobs.enqueue(Self.request("1"), Self.limits, peer: Self.peer, claim: claim, on: $0)
                }
            }
            #expect(error.map(JoinedClaim.hasFailed) == true)
            claim.failed(try #require(error))
            #expect(worker.running.count == 0 && !worker.running.mustReturnUnknown)
            #expect(await worker.wakeSignal.wait(for: .seconds(60)))
            #expect(try await database.text("SELECT count(*) FROM adminexport.job") == "0")
            #expect(try await start(by: worker, pool).job.state == .queued)
            try await claims(fail: false, database)
            #expect(try await start("2", by: worker, pool).job.state == .queued)
            var loop = WorkerLoop(worker)
            guard case .run(let attempt) = await loop.next(isSignalled: true) else {
                Issue.record("nothing was claimed")
                return
            }
            worker.running.settle(attempt.job)
            worker.running.end()
            worker.running.allowClaims(until: .now + .seconds(600))
            #expect(try await start("3", by: worker, pool).job.state == .queued)
            #expect(worker.running.count == 1)
        }
    }

    @Test("An export is published although the claim after it fails")
    func endsAlone() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            for _ in 0..<2 { try await start(by: nil, pool) }
            let (ended, continuation) = AsyncStream.makeStream(of: JobID.self)
            let isFirst = Atomic(true)
            let runner = StubRunner { _ in
                if isFirst.exchange(false, ordering: .relaxed) { try await claims(fail: true, database) }
                return .sample
            }
            let worker = Worker.idle(pool, leases, runner: runner) { step, job in
                if step == .afterPublish { continuation.yield(job.id) }
            }
            let run = Task { try await worker.run() }
            var iterator = ended.makeAsyncIterator()
            let job = try #require(await iterator.next())
            #expect(try await get(job, pool).state == .succeeded)
            #expect(try await get(job, pool).attempt == 1)
            #expect(try await database.text("SELECT is_called FROM adminexport.failures") == "true")
            try await claims(fail: false, database)
            let last = try #require(await iterator.next())
            #expect(try await get(last, pool).state == .succeeded)
            run.cancel()
            _ = await run.result
        }
    }

    @Test("Claims of the loop, of starts and of ends never use more slots than the worker has")
    func slots() {
        let running = Worker.Running()
        running.allowClaims(until: .now + .seconds(600))
        #expect(running.reserve(of: 2, replacingRun: true) == nil)
        #expect(running.reserve(of: 2))
        #expect(running.reserve(of: 2, replacingRun: false) != nil)
        #expect(!running.reserve(of: 2) && running.reserve(of: 2, replacingRun: false) == nil)
        // Joined claims reserve the slots of both runs, which are about to end.
        for _ in 0..<2 { #expect(running.reserve(of: 2, replacingRun: true) != nil) }
        #expect(running.count == 4 && !running.hasRoom(of: 2))
        // One claim gets nothing, so its run frees a slot.
        running.miss(.noTurn, replacingRun: true)
        running.end()
        #expect(running.hasRoom(of: 2))
        running.end(isReplaced: true)
        #expect(running.count == 1 && running.reserve(of: 2) && !running.reserve(of: 2))
    }

    @Test(
        "If the answer to a commit is lost, the next turn of the loop hands the job back, but not while another joined claim is under way"
    )
    func unknown() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let worker = ready(pool, slots: 2)
            let (lost, other) = (worker.joinedClaim(), worker.joinedClaim())
            let job = try await api(pool) {
                try await jobs.enqueue(Self.request("1"), Self.limits, peer: Self.peer, claim: lost, on: $0).job
            }
            let otherJob = try await api(pool) {
                try await jobs.enqueue(Self.request("2"), Self.limits, peer: Self.peer, claim: other, on: $0).job
            }
            #expect(job.state == .running && otherJob.state == .running)
            lost.failed(PostgresError(.connectionLost, "lost"))
            var loop = WorkerLoop(worker)
            _ = await loop.next(isSignalled: false)
            #expect(try await get(job.id, pool).state == .running)
            #expect(try await get(otherJob.id, pool).state == .running)
            // Consumes the signal of the lost claim.
            #expect(await worker.wakeSignal.wait(for: .seconds(60)))
            other.committed()
            #expect(await worker.wakeSignal.wait(for: .seconds(60)))
            guard case .run(let attempt) = await loop.next(isSignalled: true) else {
                Issue.record("nothing was claimed")
                return
            }
            #expect(attempt.job.id == job.id && attempt.job.epoch == 2 && attempt.job.attempt == 1)
            #expect(try await get(otherJob.id, pool).epoch == 1)
        }
    }

    @Test("If the database inserts no job, the claim of the start stays valid, and the start is refused")
    func refused() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let worker = ready(pool, slots: 2)
            try await database.execute(
                """
                \(SmallTenant.sql);
                CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER drop_row BEFORE INSERT ON adminexport.job FOR EACH ROW WHEN (NEW.tenant_key = '1') EXECUTE FUNCTION drop_row()
                """)
            let other = try await start("2", by: nil, pool).job
            let service = try await service(pool, worker, database)
            let error = await #expect(throws: QueueError.self) {
                try await service.start(Self.owner, options: Self.options, idempotencyKey: "k")
            }
            guard case .quotaExceeded = error else {
                Issue.record("\(error as Any)")
                return
            }
            #expect(worker.running.own == [other.id])
            #expect(try await get(other.id, pool).state == .running)
        }
    }

    @Test("With a login that lacks the worker's role, a start succeeds without a claim")
    func privileges() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                \(SmallTenant.sql);
                DO $$ BEGIN CREATE ROLE only_api LOGIN IN ROLE adminexport_api; EXCEPTION WHEN duplicate_object THEN END $$
                """)
            let worker = ready(database.pool())
            let service = try await service(database.pool(user: "only_api"), worker, database)
            let started = try await service.start(Self.owner, options: Self.options, idempotencyKey: "k")
            #expect(started.job.state == .queued && !started.isReplayed)
            #expect(worker.running.count == 0)
        }
    }

    @Test("A worker without a free slot ends an attempt and claims the next job with one commit")
    func ends() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            for _ in 0..<4 { try await start(by: nil, pool) }
            let (ended, continuation) = AsyncStream.makeStream(of: JobID.self)
            let worker = Worker.idle(pool, leases, runner: StubRunner { _ in .sample }) { step, job in
                if step == .afterPublish { continuation.yield(job.id) }
            }
            let run = Task { try await worker.run() }
            var count = 0
            for await _ in ended {
                count += 1
                if count == 4 { break }
            }
            run.cancel()
            _ = await run.result
            #expect(
                try await database.text(
                    """
                    SELECT string_agg(count || word, ' ' ORDER BY word) FROM (SELECT count(*), word FROM (
                        SELECT string_agg(event, '+' ORDER BY id) AS word FROM adminexport.audit_event
                        WHERE event IN ('finished', 'started') GROUP BY xmin::text) t GROUP BY word) t
                    """) == "1finished 3finished+started 1started")
            #expect(try await database.text("SELECT running FROM adminexport.tenant_slot") == "0")
            #expect(worker.running.count == 0 && worker.running.own.isEmpty)
        }
    }
}

extension LeaseStore {
    fileprivate func claim(worker: WorkerID, on pool: PostgresPool) async throws -> Claim {
        try await pool.withTransaction(role: DatabaseRole.worker) { try await claim(worker: worker, on: $0) }
    }
}
