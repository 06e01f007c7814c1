import Postgres
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct QueueTests {
    private static let peer = CallingProcess(uid: 1, gid: 2, pid: 3)
    private let jobs = JobStore()

    private func leases(tenantLimit: Int = 2, lease: Duration = .seconds(60)) -> LeaseStore {
        LeaseStore(tenantLimit: { tenantLimit }, lease: lease, deadline: .seconds(600), retention: .seconds(3_600))
    }

    /// Its leases are so short that the server has run for longer than one of them.
    private let maintenance = QueueMaintenance(lease: .milliseconds(1))

    private func start(
        _ pool: PostgresPool, tenant: String = "1", key: String? = nil, hash: String = String(repeating: "00", count: 32),
        limit: Int = 1_000
    ) async throws -> JobRecord {
        try await api(pool) { try await enqueue(tenant, key: key, hash: hash, limit: limit, on: $0).job }
    }

    private func enqueue(
        _ tenant: String, key: String?, hash: String = String(repeating: "00", count: 32), limit: Int,
        on connection: isolated PostgresConnection
    ) async throws -> JobStore.Started {
        try await jobs.enqueue(
            Self.request(tenant, key: key, hash: hash), JobStore.Limits(queued: limit), peer: Self.peer, on: connection)
    }

    private static func request(
        _ tenant: String, key: String?, hash: String = String(repeating: "00", count: 32)
    ) -> JobStore.Request {
        JobStore.Request(
            tenantKey: tenant, tenantSlug: "t\(tenant)", actorKey: "a", actorEmail: "a@x", options: "{}",
            idempotency: key.map { ($0, hash) })
    }

    private func claim(_ pool: PostgresPool, _ leases: LeaseStore, worker id: WorkerID = WorkerID()) async throws
        -> ClaimedJob?
    {
        try await worker(pool) { try await leases.claim(worker: id, on: $0).job }
    }

    @Test("A job goes from the queue through a worker to its end, and each step writes an audit event")
    func life() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let started = try await start(pool)
            #expect(started.state == .queued && started.queuePosition == 1 && started.revision == 1)
            let claimed = try #require(try await claim(pool, leases))
            #expect(claimed.id == started.id && claimed.epoch == 1 && claimed.attempt == 1)
            #expect(try await worker(pool) { try await leases.renew(claimed, rowsDone: 5, rowsTotal: 9, on: $0) } == .held)
            let running = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(running.state == .running && running.rowsDone == 5 && running.rowsTotal == 9 && running.revision == 3)
            #expect(try await worker(pool) { try await leases.end(claimed, .succeeded(.sample), on: $0) } != nil)
            let done = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(done.state == .succeeded && done.result == .sample && done.revision == 4 && done.archiveEpoch == 1)
            #expect(try await worker(pool) { try await leases.isPublished(claimed, on: $0) })
            #expect(
                try await database.text("SELECT string_agg(event, ' ' ORDER BY at) FROM adminexport.audit_event")
                    == "requested started finished")
            #expect(try await database.text("SELECT running FROM adminexport.tenant_slot") == "0")
            #expect(try await database.text("SELECT count(*) FROM adminexport.lease") == "0")
        }
    }

    @Test("A job shows the start of its first and of its last attempt, as far as they were recorded")
    func attempts() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let started = try await start(pool)
            func times() async throws -> (first: Int64?, last: Int64?) {
                let job = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
                return (job.startedAt?.microseconds, job.attemptStartedAt?.microseconds)
            }
            #expect(try await times() == (nil, nil))
            let claimed = try #require(try await claim(pool, leases))
            let one = try await times()
            #expect(one.first != nil && one.first == one.last)
            // A program that does not know the column leaves it empty. A job with one attempt shows its first start.
            try await database.execute("UPDATE adminexport.job SET attempt_started_at = NULL")
            #expect(try await times() == one)
            let end = AttemptEnd.retried(
                JobFailure(kind: "k", message: "m"), .init(delay: .zero, giveUpAfter: .seconds(3_600)))
            #expect(try await worker(pool) { try await leases.end(claimed, end, on: $0) } == .queued)
            #expect(try await times() == one)
            _ = try #require(try await claim(pool, leases))
            let two = try await times()
            #expect(two.first == one.first && two.last ?? 0 > one.last ?? 0)
            try await database.execute("UPDATE adminexport.job SET attempt_started_at = NULL")
            #expect(try await times() == (one.first, nil))
        }
    }

    @Test("Many workers claim each job once, and never more jobs of a tenant than its limit")
    func claims() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 8)
            let leases = leases(tenantLimit: 3)
            for index in 0..<40 { _ = try await start(pool, tenant: "\(index % 4)") }
            let claimed = try await withThrowingTaskGroup(of: [ClaimedJob].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var mine: [ClaimedJob] = []
                        for _ in 0..<20 { if let job = try await claim(pool, leases) { mine.append(job) } }
                        return mine
                    }
                }
                return try await group.reduce([]) { $0 + $1 }
            }
            #expect(claimed.count == 12)
            #expect(Set(claimed.map(\.id)).count == 12)
            #expect(Dictionary(grouping: claimed, by: \.tenantKey).values.allSatisfy { $0.count == 3 })
            // One job that ends makes room for one claim.
            #expect(try await worker(pool) { try await leases.end(claimed[0], .succeeded(.sample), on: $0) } != nil)
            #expect(try await claim(pool, leases)?.tenantKey == claimed[0].tenantKey)
            #expect(try await claim(pool, leases) == nil)
        }
    }

    @Test("Tenants take turns, however long the queue of one tenant is")
    func turns() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases(tenantLimit: 100)
            for _ in 0..<20 { _ = try await start(pool, tenant: "long") }
            _ = try await claim(pool, leases)
            _ = try await start(pool, tenant: "short")
            #expect(try await claim(pool, leases)?.tenantKey == "short")
        }
    }

    @Test("A worker whose lease has expired changes nothing, and its job is claimed again with the next epoch")
    func fence() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let started = try await start(pool)
            let first = try #require(try await claim(pool, leases))
            try await database.execute("UPDATE adminexport.lease SET expires_at = clock_timestamp() - interval '1 s'")
            let ends: [AttemptEnd] = [
                .succeeded(.sample), .failed(JobFailure(kind: "k", message: "m")), .cancelled,
                .retried(JobFailure(kind: "k", message: "m"), .init(delay: .zero, giveUpAfter: .seconds(1))),
            ]
            for end in ends { #expect(try await worker(pool) { try await leases.end(first, end, on: $0) } == nil) }
            #expect(try await worker(pool) { try await leases.renew(first, rowsDone: 1, rowsTotal: nil, on: $0) } == .lost)
            // A sweep takes no lease right after a restart of the server. This server may have just started.
            #expect(try await worker(pool) { try await maintenance.sweep(.leaseOver, on: $0) } != nil)
            #expect(try await worker(pool) { try await maintenance.sweep(.leaseOver, on: $0) } == nil)
            let second = try #require(try await claim(pool, leases))
            #expect(second.id == started.id && second.epoch == 2 && second.attempt == 2)
            for end in ends { #expect(try await worker(pool) { try await leases.end(first, end, on: $0) } == nil) }
            #expect(try await worker(pool) { try await leases.end(second, .succeeded(.sample), on: $0) } != nil)
            #expect(try await !worker(pool) { try await leases.isPublished(first, on: $0) })
            #expect(try await database.text("SELECT running FROM adminexport.tenant_slot") == "0")
            #expect(try await database.text("SELECT crashes FROM adminexport.job") == "1")
        }
    }

    @Test("A job whose workers vanish three times fails with the error worker-crashed")
    func crashLoop() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let brief = leases(lease: .milliseconds(1))
            let started = try await start(pool)
            for _ in 0..<3 {
                _ = try #require(try await claim(pool, brief))
                while try await worker(pool, { try await maintenance.sweep(.leaseOver, on: $0) }) == nil {}
            }
            let job = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(job.state == .failed && job.failure?.kind == "worker-crashed")
        }
    }

    @Test("After a transient failure a job is retried later and shows the error; after its time limit it fails")
    func retry() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let started = try await start(pool)
            let failure = JobFailure(kind: "storage-full", message: "full", isTransient: true)
            let first = try #require(try await claim(pool, leases))
            #expect(
                try await worker(pool) {
                    try await leases.end(
                        first, .retried(failure, .init(delay: .seconds(3_600), giveUpAfter: .seconds(3_600))), on: $0)
                } == .queued)
            let waiting = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(waiting.state == .queued && waiting.failure?.kind == "storage-full")
            #expect(try await claim(pool, leases) == nil)
            try await database.execute("UPDATE adminexport.job SET run_after = now(), started_at = now() - interval '2 h'")
            let second = try #require(try await claim(pool, leases))
            #expect(
                try await worker(pool) {
                    try await leases.end(
                        second, .retried(failure, .init(delay: .zero, giveUpAfter: .seconds(3_600))), on: $0)
                } == .failed)
            let failed = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(failed.state == .failed && failed.failure?.kind == "storage-full")
        }
    }

    @Test("A job that is handed back loses no attempt; if its cancellation was requested, it is cancelled")
    func handBack() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let started = try await start(pool)
            let first = try #require(try await claim(pool, leases))
            #expect(try await worker(pool) { try await leases.end(first, .handedBack, on: $0) } != nil)
            let second = try #require(try await claim(pool, leases))
            #expect(second.attempt == 1 && second.epoch == 2)
            let asked = try await api(pool) {
                try await jobs.cancel(started.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
            }
            #expect(asked.state == .running && asked.isCancelRequested)
            #expect(try await worker(pool) { try await leases.peek(second, on: $0) } == .cancelRequested)
            #expect(try await worker(pool) { try await leases.end(second, .handedBack, on: $0) } != nil)
            let job = try await api(pool) { try await jobs.get(started.id, owner: .anyone(ofTenants: nil), on: $0) }
            #expect(job.state == .cancelled)
        }
    }

    @Test("A claim whose response was lost is returned without counting an attempt; claims that the worker knows stay")
    func unknownClaim() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases(tenantLimit: 3)
            for _ in 0..<3 { _ = try await start(pool) }
            let me = WorkerID()
            let known = try #require(try await claim(pool, leases, worker: me))
            let lost = try #require(try await claim(pool, leases, worker: me))
            let other = try #require(try await claim(pool, leases))
            #expect(try await worker(pool) { try await maintenance.returnUnknown(of: me, except: [known.id], on: $0) })
            #expect(try await !worker(pool) { try await maintenance.returnUnknown(of: me, except: [known.id], on: $0) })
            let again = try #require(try await claim(pool, leases, worker: me))
            #expect(again.id == lost.id && again.attempt == 1 && again.epoch == 2)
            #expect(try await worker(pool) { try await leases.renew(known, rowsDone: 1, rowsTotal: 1, on: $0) } == .held)
            #expect(try await worker(pool) { try await leases.renew(other, rowsDone: 1, rowsTotal: 1, on: $0) } == .held)
            #expect(
                try await database.text(
                    "SELECT running || ' ' || (SELECT sum(crashes) FROM adminexport.job) FROM adminexport.tenant_slot")
                    == "3 0")
        }
    }

    @Test("A recount corrects a slot whose count is wrong")
    func recount() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            for tenant in ["1", "2"] { _ = try await start(pool, tenant: tenant) }
            _ = try #require(try await claim(pool, leases))
            #expect(try await worker(pool) { try await maintenance.recount(on: $0) } == 0)
            try await database.execute("UPDATE adminexport.tenant_slot SET running = running + 2")
            #expect(try await claim(pool, leases) == nil)
            #expect(try await worker(pool) { try await maintenance.recount(on: $0) } == 2)
            #expect(try await claim(pool, leases) != nil)
        }
    }

    @Test("A locked job of one tenant does not delay another tenant")
    func lockedJob() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let first = try await start(pool, tenant: "1")
            let second = try await start(pool, tenant: "2")
            try await database.connect().withTransaction { connection in
                try await connection.script("lock", "SELECT FROM adminexport.job WHERE id = '\(first.id)' FOR UPDATE")
                // The tenant whose turn it is has no job that can be claimed. The turn goes to the other tenant.
                var claimed: [JobID] = []
                for _ in 0..<2 { if let job = try await claim(pool, leases) { claimed.append(job.id) } }
                #expect(claimed == [second.id])
            }
            #expect(try await claim(pool, leases)?.id == first.id)
        }
    }

    @Test(
        "The open transaction of a caller's request blocks no claim, whether the request succeeds or is refused",
        arguments: ["start", "full queue", "repeat", "conflict", "delete", "release", "somebody else's"])
    func claimsBesideCallers(_ request: String) async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let waiting = try await start(pool, key: "k")
            let owner = JobStore.Owner.anyone(ofTenants: nil)
            try await api(pool) { connection in
                switch request {
                case "start": _ = try await enqueue("1", key: nil, limit: 10, on: connection)
                case "full queue":
                    await #expect(throws: QueueError.quotaExceeded(limit: 1, retryAfter: .seconds(5))) {
                        _ = try await enqueue("1", key: nil, limit: 1, on: connection)
                    }
                case "repeat": #expect(try await enqueue("1", key: "k", limit: 1, on: connection).job.id == waiting.id)
                case "conflict":
                    await #expect(throws: QueueError.conflict) {
                        _ = try await enqueue(
                            "1", key: "k", hash: String(repeating: "11", count: 32), limit: 1, on: connection)
                    }
                case "delete":
                    await #expect(throws: QueueError.notReady(.queued)) {
                        _ = try await jobs.delete(waiting.id, owner: owner, peer: Self.peer, on: connection)
                    }
                case "release":
                    _ = try await jobs.hold(waiting.id, .end(), owner: owner, peer: Self.peer, on: connection)
                default:
                    await #expect(throws: QueueError.notFound) {
                        let stranger = JobStore.Owner.actor(tenantKey: "2", actorKey: "b")
                        _ = try await jobs.cancel(waiting.id, owner: stranger, peer: Self.peer, on: connection)
                    }
                }
                // The transaction is still open.
                #expect(try await claim(pool, leases())?.id == waiting.id)
            }
        }
    }

    @Test("A start that gets no turn in time is refused as busy, and a start of another tenant does not wait")
    func busy() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            try await database.connect().withTransaction { connection in
                try await connection.script(
                    "turn", "SELECT pg_advisory_xact_lock(\(JobStore.startLockClass), hashtext('1'))")
                await #expect(throws: QueueError.busy) {
                    _ = try await api(pool) { connection in
                        try await jobs.enqueue(
                            Self.request("1", key: nil), JobStore.Limits(queued: 10), peer: Self.peer,
                            wait: .within(.milliseconds(20)), on: connection)
                    }
                }
                await #expect(throws: StartLockHeld.self) {
                    _ = try await api(pool) { connection in
                        try await jobs.enqueue(
                            Self.request("1", key: nil), JobStore.Limits(queued: 10), peer: Self.peer, wait: .now,
                            on: connection)
                    }
                }
                _ = try await start(pool, tenant: "2")
            }
            _ = try await start(pool)
        }
    }

    @Test("The limit of a tenant's queue is exact for concurrent starts, with keys and without")
    func quotaOfMany() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 8)
            let taken = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<40 {
                    group.addTask { (try? await start(pool, key: number % 2 == 0 ? "k\(number)" : nil, limit: 7)) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            let queued = try await database.text("SELECT count(*) FROM adminexport.job WHERE state = 'queued'")
            #expect(taken == 7 && queued == "7")
        }
    }

    @Test("A sweep skips locked rows and does not wait for them")
    func lockedSweep() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let brief = leases(lease: .milliseconds(1))
            _ = try await start(pool)
            _ = try #require(try await claim(pool, brief))
            try await database.execute("UPDATE adminexport.lease SET expires_at = clock_timestamp() - interval '1 s'")
            for table in ["job", "lease", "tenant_slot"] {
                try await database.connect().withTransaction { connection in
                    try await connection.script("lock", "SELECT FROM adminexport.\(table) FOR UPDATE")
                    #expect(try await worker(pool) { try await maintenance.sweep(.leaseOver, on: $0) } == nil)
                }
            }
            #expect(try await worker(pool) { try await maintenance.sweep(.leaseOver, on: $0) } != nil)
        }
    }

    @Test("A queued job is cancelled at once, and a second cancellation changes nothing")
    func cancel() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let started = try await start(pool)
            let job = try await api(pool) {
                try await jobs.cancel(started.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
            }
            #expect(job.state == .cancelled && job.revision == started.revision + 1)
            let again = try await api(pool) {
                try await jobs.cancel(started.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
            }
            #expect(again.revision == job.revision)
            #expect(try await claim(pool, leases()) == nil)
        }
    }

    @Test("Concurrent starts with one idempotency key make one job; a start with other options is a conflict")
    func idempotency() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 8)
            let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
                for _ in 0..<50 { group.addTask { try await start(pool, key: "k").id } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            await #expect(throws: QueueError.conflict) {
                _ = try await start(pool, key: "k", hash: String(repeating: "11", count: 32))
            }
        }
    }

    /// The possible states of a job that was started with a key, and whether the key still belongs to it.
    private static let fates: [(fate: String, stands: Bool)] = [
        ("queued", true), ("running", true), ("cancel requested", true), ("succeeded", true), ("held past its time", true),
        ("cancelled", false), ("failed", false), ("deleted", false), ("expired", false), ("past its time", false),
        ("queued for two days", false), ("made two days ago", false),
    ]

    @Test(
        "For two days, a key belongs to its job while the job waits, runs or has its workbook; else it starts a new job",
        arguments: fates)
    func keyLifetime(_ fate: String, _ stands: Bool) async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let leases = leases()
            let first = try await start(pool, key: "k")
            let owner = JobStore.Owner.anyone(ofTenants: nil)
            if !fate.hasPrefix("queued"), fate != "cancelled" {
                let claimed = try #require(try await claim(pool, leases))
                let end: AttemptEnd? =
                    switch fate {
                    case "running", "cancel requested": nil
                    case "failed": .failed(JobFailure(kind: "k", message: "m"))
                    default: .succeeded(.sample)
                    }
                if let end { #expect(try await worker(pool) { try await leases.end(claimed, end, on: $0) } != nil) }
            }
            switch fate {
            case "cancelled", "cancel requested":
                _ = try await api(pool) { try await jobs.cancel(first.id, owner: owner, peer: Self.peer, on: $0) }
            case "deleted":
                _ = try await api(pool) { try await jobs.delete(first.id, owner: owner, peer: Self.peer, on: $0) }
            case "expired": try await database.execute("UPDATE adminexport.job SET state = 'expired'")
            case "past its time": try await database.execute("UPDATE adminexport.job SET expires_at = now()")
            case "held past its time":
                try await database.execute("UPDATE adminexport.job SET expires_at = now(), hold = true")
            case "queued for two days", "made two days ago":
                try await database.execute("UPDATE adminexport.job SET created_at = now() - interval '48 h 1 s'")
            default: break
            }
            let other = String(repeating: "11", count: 32)
            if stands {
                await #expect(throws: QueueError.conflict) { _ = try await start(pool, key: "k", hash: other) }
                let again = try await api(pool) { try await enqueue("1", key: "k", limit: 10, on: $0) }
                #expect(again.isReplayed && again.job.id == first.id)
            } else {
                let new = try await api(pool) { try await enqueue("1", key: "k", hash: other, limit: 10, on: $0) }
                #expect(!new.isReplayed && new.job.id != first.id)
                let again = try await api(pool) { try await enqueue("1", key: "k", hash: other, limit: 10, on: $0) }
                #expect(again.isReplayed && again.job.id == new.job.id)
                #expect(
                    try await database.text("SELECT id FROM adminexport.job WHERE idempotency_key = 'k'")
                        == new.job.id.description)
            }
        }
    }

    @Test("Of concurrent starts with the key of a job that is over, one makes a new job and the others get this job")
    func keyOfMany() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 8)
            let first = try await start(pool, key: "k")
            _ = try await api(pool) {
                try await jobs.cancel(first.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
            }
            let started = try await withThrowingTaskGroup(of: JobStore.Started.self) { group in
                for _ in 0..<50 {
                    group.addTask { try await api(pool) { try await enqueue("1", key: "k", limit: 1, on: $0) } }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(started.map(\.job.id)).count == 1 && started.first?.job.id != first.id)
            #expect(started.count { !$0.isReplayed } == 1)
        }
    }

    @Test("A tenant's queue has a limit, which does not include running jobs")
    func quota() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            for _ in 0..<3 { _ = try await start(pool, limit: 3) }
            await #expect(throws: QueueError.quotaExceeded(limit: 3, retryAfter: .seconds(5))) {
                _ = try await start(pool, limit: 3)
            }
            _ = try await start(pool, tenant: "2", limit: 3)
            _ = try await claim(pool, leases())
            _ = try await start(pool, limit: 3)
        }
    }

    @Test("An actor does not find another actor's job, and lists the own jobs in pages, newest first")
    func visibility() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            var ids: [JobID] = []
            for _ in 0..<5 { ids.append(try await start(pool).id) }
            let other = JobStore.Owner.actor(tenantKey: "1", actorKey: "b")
            await #expect(throws: QueueError.notFound) {
                _ = try await api(pool) { [ids] in try await jobs.get(ids[0], owner: other, on: $0) }
            }
            let mine = JobStore.Owner.actor(tenantKey: "1", actorKey: "a")
            let page = try await api(pool) {
                try await jobs.list(owner: mine, states: [], before: nil, limit: 2, on: $0)
            }
            #expect(page.map(\.id) == [ids[4], ids[3]])
            let next = try await api(pool) { [ids] in
                try await jobs.list(owner: mine, states: [.queued], before: ids[3], limit: 10, on: $0)
            }
            #expect(next.map(\.id) == [ids[2], ids[1], ids[0]])
        }
    }
}
