import Postgres
import TestSupport
import Testing

@testable import Exports

/// Whose turn it is: random operations in PostgreSQL, and what a plain model of the rules says about each claim.
@Suite(.timeLimit(.minutes(10))) struct TurnTests {
    private static let peer = CallingProcess(uid: 1, gid: 2, pid: 3)
    private static let limit = 2
    private let jobs = JobStore()
    private let leases = LeaseStore(
        tenantLimit: { limit }, lease: .seconds(600), deadline: .seconds(3_600), retention: .seconds(3_600))

    /// The tenants and their jobs, as the rules have them.
    private struct Model {
        struct Job { let id: JobID; var priority = 0; var isDelayed = false }
        struct Tenant {
            var queue: [Job] = []
            var running: [ClaimedJob] = []
            /// When it was served last; 0 for never.
            var served = 0
            var claimable: [Job] { queue.filter { !$0.isDelayed } }
            var mayStart: Bool { !claimable.isEmpty && running.count < limit }
        }
        var tenants = Array(repeating: Tenant(), count: 12)
        var clock = 0
        var isPaused = false

        var waiting: [Int] { isPaused ? [] : tenants.indices.filter { tenants[$0].mayStart } }
        /// Those of the waiting tenants that were served longest ago; several that were never served.
        var next: [Int] {
            let first = waiting.map { tenants[$0].served }.min()
            return waiting.filter { tenants[$0].served == first }
        }
        func job(of tenant: Int) -> JobID? {
            tenants[tenant].claimable.min { ($1.priority, "\($0.id)") < ($0.priority, "\($1.id)") }?.id
        }
        mutating func serve(_ tenant: Int) {
            clock += 1
            tenants[tenant].served = clock
        }
    }

    @Test(
        "A claim takes the first job of the tenant that was served longest ago, whatever happened before", arguments: 1...12)
    func order(_ seed: Int) async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let admin = try await database.connect()
            var random = SplitMix(state: UInt64(seed))
            var model = Model()
            var recent: [String] = []
            var counts: [String: Int] = [:]
            for step in 0..<700 {
                let tenant = Int.random(in: 0..<model.tenants.count, using: &random)
                let operation = Self.operations.randomElement(using: &random)!
                var isDone = true
                switch operation {
                case "start":
                    model.tenants[tenant].queue.append(.init(id: try await start(tenant, pool).id))
                case "claim":
                    isDone = try await claim(&model, &recent, pool, "seed \(seed), step \(step)")
                case "finish", "hand back", "retry":
                    guard
                        let busy = model.tenants.indices.filter({ !model.tenants[$0].running.isEmpty })
                            .randomElement(using: &random)
                    else { continue }
                    let job = model.tenants[busy].running.removeFirst()
                    let end: AttemptEnd =
                        switch operation {
                        case "finish": .succeeded(.sample)
                        case "hand back": .handedBack
                        default:
                            .retried(
                                JobFailure(kind: "k", message: "m"),
                                .init(delay: .seconds(3_600), giveUpAfter: .seconds(3_600)))
                        }
                    #expect(try await worker(pool) { try await leases.end(job, end, on: $0) } != nil)
                    if operation != "finish" {
                        model.tenants[busy].queue.append(.init(id: job.id, isDelayed: operation == "retry"))
                        // The row keeps its priority.
                        let row = try await admin.query(
                            Query(
                                "p", "SELECT priority FROM adminexport.job WHERE id = $1::uuid", [.text(job.id.description)])
                        )
                        model.tenants[busy].queue[model.tenants[busy].queue.count - 1].priority = try row[0].decode(
                            "priority")
                    }
                case "promote":
                    // Without the triggers, because a hand that changes the time would also make the job claimable.
                    try await admin.script(
                        "due",
                        """
                        SET session_replication_role = replica;
                        UPDATE adminexport.job SET run_after = now() WHERE state = 'queued' AND delayed;
                        RESET session_replication_role
                        """)
                    let due = model.tenants.flatMap(\.queue).count { $0.isDelayed }
                    let promoted = try await worker(pool) { try await Turns.promote(on: $0) }
                    #expect(promoted == due)
                    for index in model.tenants.indices {
                        for place in model.tenants[index].queue.indices {
                            model.tenants[index].queue[place].isDelayed = false
                        }
                    }
                    isDone = due > 0
                case "cancel":
                    guard let job = model.tenants[tenant].queue.popLast() else { continue }
                    _ = try await api(pool) {
                        try await jobs.cancel(job.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
                    }
                case "prefer":
                    guard let place = model.tenants[tenant].queue.indices.randomElement(using: &random) else { continue }
                    let priority = Int.random(in: -1...1, using: &random)
                    model.tenants[tenant].queue[place].priority = priority
                    _ = try await admin.query(
                        Query(
                            "prefer", "UPDATE adminexport.job SET priority = $1::int WHERE id = $2::uuid",
                            [.integer(priority), .text(model.tenants[tenant].queue[place].id.description)]))
                case "pause":
                    model.isPaused.toggle()
                    let isPaused = model.isPaused
                    _ = try await api(pool) { try await QueueControl().pause(isPaused, peer: Self.peer, on: $0) }
                case "raise":
                    try await worker(pool) { try await Turns.raiseBound(tenantLimit: Self.limit, on: $0) }
                default:
                    let poll = LeaseStore.Poll(
                        worker: WorkerID(), history: .seconds(3_600), recent: recent, settling: recent,
                        settlingFirst: tenant,
                        isThorough: tenant.isMultiple(of: 2))
                    let snapshot = try await worker(pool) { try await leases.poll(poll, on: $0) }
                    // A tenant may be ready for no reason. One that waits must be seen.
                    #expect(snapshot.isClaimable || model.waiting.isEmpty)
                    recent = []
                }
                if isDone { counts[operation, default: 0] += 1 }
                let wrong = try await admin.query(Query("wrong", Self.wrong))
                try #require(wrong.isEmpty, "seed \(seed), step \(step): \(operation)")
            }
            #expect(Set(counts.keys) == Set(Self.operations) && counts.values.allSatisfy { $0 > 3 }, "\(counts)")
            // The lower bound of places has moved.
            let bound = try await database.text("SELECT last_value FROM adminexport.first_place")
            #expect(bound.map { $0 > "-4611686018427387904" } == true)
        }
    }

    private static let operations =
        Array(repeating: "start", count: 5) + Array(repeating: "claim", count: 8) + [
            "finish", "finish", "finish", "hand back", "retry",
        ]
        + ["promote", "cancel", "prefer", "poll", "pause", "raise"]

    /// Tenants that have a job to claim and are not ready, or whose head is behind it.
    private static let wrong = """
        SELECT s.tenant_key FROM adminexport.tenant_slot s JOIN adminexport.job j USING (tenant_key)
        WHERE j.state = 'queued' AND NOT j.delayed AND (NOT s.ready OR j.id < s.head)
        """

    /// Claims until there is a job or no turn.
    ///
    /// - Returns: whether there was a job.
    private func claim(_ model: inout Model, _ recent: inout [String], _ pool: PostgresPool, _ where: String) async throws
        -> Bool
    {
        for _ in 0...2 * model.tenants.count {
            let known = recent
            switch try await worker(pool, { try await leases.claim(worker: WorkerID(), recent: known, on: $0) }) {
            case .job(let job):
                let tenant = try #require(Int(job.tenantKey))
                try #require(model.next.contains(tenant), "\(`where`): \(model.next)")
                #expect(job.id == model.job(of: tenant), "\(`where`)")
                model.serve(tenant)
                model.tenants[tenant].queue.removeAll { $0.id == job.id }
                model.tenants[tenant].running.append(job)
                if !recent.contains(job.tenantKey) { recent.append(job.tenantKey) }
                return true
            case .nothing(let key):
                let tenant = try #require(Int(key))
                #expect(model.tenants[tenant].claimable.isEmpty && !recent.contains(key), "\(`where`)")
                model.serve(tenant)
                recent.append(key)
            case .noTurn:
                #expect(model.next.isEmpty, "\(`where`): \(model.next)")
                return false
            }
        }
        Issue.record("\(`where`): claims find nothing again and again")
        return false
    }

    @Test(
        "Starts, refusals, repeats, cancellations, claims and settlements at the same time lose no job, and leave no tenant waiting"
    )
    func convoy() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 12)
            let tenants = 4
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<5 {
                    group.addTask {
                        var random = SplitMix(state: UInt64(caller))
                        for _ in 0..<80 {
                            let tenant = Int.random(in: 0..<tenants, using: &random)
                            // A limit of two refuses many; one key for all repeats many.
                            let key = random.next().isMultiple(of: 3) ? "k" : nil
                            let job = try? await start(tenant, pool, limit: 2, key: key)
                            if let job, random.next().isMultiple(of: 4) {
                                _ = try? await api(pool) {
                                    try await jobs.cancel(job.id, owner: .anyone(ofTenants: nil), peer: Self.peer, on: $0)
                                }
                            }
                        }
                    }
                }
                for number in 0..<3 {
                    group.addTask {
                        var random = SplitMix(state: UInt64(100 + number))
                        for _ in 0..<150 {
                            let claim = try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }
                            if let job = claim.job {
                                let end: AttemptEnd = random.next().isMultiple(of: 3) ? .handedBack : .succeeded(.sample)
                                _ = try await worker(pool) { try await leases.end(job, end, on: $0) }
                            }
                            if random.next().isMultiple(of: 2) {
                                let poll = LeaseStore.Poll(
                                    worker: WorkerID(), history: .seconds(3_600), settling: (0..<tenants).map(String.init))
                                _ = try await worker(pool) { try await leases.poll(poll, on: $0) }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.text("SELECT count(*) FROM (\(Self.wrong)) w") == "0")
            // Each job that is left is claimed, although nobody looks from the beginning.
            for _ in 0..<200 {
                let claim = try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }
                if case .noTurn = claim { break }
                guard let job = claim.job else { continue }
                _ = try await worker(pool) { try await leases.end(job, .succeeded(.sample), on: $0) }
            }
            #expect(
                try await database.text("SELECT count(*) FROM adminexport.job WHERE state IN ('queued', 'running')") == "0")
            #expect(try await database.text("SELECT coalesce(sum(running), 0) FROM adminexport.tenant_slot") == "0")
        }
    }

    @Test("A claim that finds nothing reports whether another transaction has locked a ready tenant")
    func nothingFound() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            func isLocked() async throws -> Bool? {
                let claim = try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }
                guard case .noTurn(let isLocked) = claim else { return nil }
                return isLocked
            }
            #expect(try await isLocked() == false)
            _ = try await start(0, pool)
            let holder = try await database.connect()
            try await holder.script("hold", "BEGIN; SELECT FROM adminexport.tenant_slot FOR UPDATE")
            #expect(try await isLocked() == true)
            try await holder.script("release", "COMMIT")
            #expect(try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }.job != nil)
        }
    }

    @Test("A tenant below the lower bound of places is found by a thorough poll, which moves the bound down to it")
    func belowBound() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            _ = try await start(0, pool)
            try await database.execute("SELECT setval('adminexport.first_place', 1000)")
            guard case .noTurn = try await worker(pool, { try await leases.claim(worker: WorkerID(), on: $0) }) else {
                Issue.record("the claim looked below the bound")
                return
            }
            for (isThorough, isClaimable) in [(false, false), (true, true)] {
                let poll = LeaseStore.Poll(worker: WorkerID(), history: .seconds(3_600), isThorough: isThorough)
                #expect(try await worker(pool) { try await leases.poll(poll, on: $0) }.isClaimable == isClaimable)
            }
            #expect(try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }.job != nil)
        }
    }

    @Test("A job that an older program puts into the queue, or back, makes its tenant ready")
    func older() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            try await database.execute(
                """
                INSERT INTO adminexport.tenant_slot (tenant_key) VALUES ('0');
                INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)
                    VALUES (gen_random_uuid(), '0', 't', 'a', 'e', '{}')
                """)
            let job = try #require(try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0) }.job)
            let poll = LeaseStore.Poll(worker: WorkerID(), history: .seconds(3_600), settling: ["0"])
            _ = try await worker(pool) { try await leases.poll(poll, on: $0) }
            #expect(try await database.text("SELECT ready FROM adminexport.tenant_slot") == "false")
            for (delay, ready, delayed) in [("0 s", "true", "false"), ("1 h", "false", "true")] {
                try await database.execute(
                    """
                    UPDATE adminexport.job SET state = 'queued', worker = NULL, deadline_at = NULL,
                        run_after = clock_timestamp() + interval '\(delay)'
                    """)
                #expect(try await database.text("SELECT ready FROM adminexport.tenant_slot") == ready)
                #expect(try await database.text("SELECT delayed FROM adminexport.job") == delayed)
                try await database.execute(
                    """
                    UPDATE adminexport.job SET state = 'running', worker = gen_random_uuid(), deadline_at = now(), epoch = 2;
                    UPDATE adminexport.tenant_slot SET ready = false
                    """)
            }
            _ = job
        }
    }

    private func start(_ tenant: Int, _ pool: PostgresPool, limit: Int = 100, key: String? = nil) async throws -> JobRecord {
        try await api(pool) { connection in
            try await jobs.enqueue(
                JobStore.Request(
                    tenantKey: "\(tenant)", tenantSlug: "t", actorKey: "a", actorEmail: "a@x", options: "{}",
                    idempotency: key.map { ($0, String(repeating: "00", count: 32)) }),
                JobStore.Limits(queued: limit), peer: Self.peer, on: connection
            ).job
        }
    }
}
