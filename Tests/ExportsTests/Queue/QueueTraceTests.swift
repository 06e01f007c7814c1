import Postgres
import Testing
import TestSupport

@testable import Exports

/// Applies random sequences of events to the rules and in PostgreSQL, and compares the resulting jobs.
@Suite(.timeLimit(.minutes(10))) struct QueueTraceTests {
    private static let peer = CallingProcess(uid: 1, gid: 2, pid: 3)
    private static let anyone = JobStore.Owner.anyone(ofTenants: nil)

    /// The worker that sweeps.
    private static let looker = WorkerID()
    private let jobs = JobStore()
    private let leases = LeaseStore(
        tenantLimit: { 2 }, lease: .seconds(600), deadline: .seconds(3_600), retention: .seconds(3_600))
    /// Its leases are so short that the server has run for longer than one of them.
    private let maintenance = QueueMaintenance(lease: .milliseconds(1))

    @Test("The statements accept and refuse the same events as the rules, and leave the row that the rules predict")
    func traces() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            let admin = try await database.connect()
            var random = SplitMix(state: 20_261_125)
            var played: [String: (taken: Int, refused: Int)] = [:]
            for trace in 0..<60 {
                let job = try await start(pool)
                var machine = JobMachine()
                var names: [String] = []
                for _ in 0..<14 {
                    let event = Self.event(&random, machine)
                    var next = machine
                    let isTaken = next.apply(event)
                    let name = Self.name(event)
                    names.append("\(event)")
                    let didTake = try await play(event, job, pool, admin)
                    #expect(didTake == isTaken, "trace \(trace): \(names.joined(separator: ", "))")
                    machine = next
                    let row = try await self.row(job, admin)
                    try #require(row == machine, "trace \(trace): \(names.joined(separator: ", "))")
                    #expect(
                        try await keepsKey(job, pool) == machine.state.keepsKey,
                        "trace \(trace): \(names.joined(separator: ", "))"
                    )
                    let slot = try await admin.query(
                        Query("slot", "SELECT running FROM adminexport.tenant_slot")
                    ).first?.decode("running", as: Int.self)
                    #expect(slot == (machine.state == .running ? 1 : 0))
                    played[name, default: (0, 0)].taken += isTaken ? 1 : 0
                    played[name, default: (0, 0)].refused += isTaken ? 0 : 1
                }
                try await database.execute(
                    "DELETE FROM adminexport.job; UPDATE adminexport.tenant_slot SET running = 0")
            }
            // The test is only conclusive if each kind of event was accepted and refused.
            #expect(played.count == 19)
            for (name, count) in played { #expect(count.taken > 0 && count.refused > 0, "\(name): \(count)") }
        }
    }

    // MARK: Events

    private static func event(_ random: inout SplitMix, _ machine: JobMachine) -> JobMachine.Event {
        // Usually the current epoch, sometimes an earlier one.
        let epoch = max(0, machine.epoch - [0, 0, 0, 1][Int(random.next() % 4)])
        let events: [JobMachine.Event] =
            [
                .claimed, .claimed, .claimed, .claimed, .renewed(epoch: epoch), .leaseRanOut, .leaseRanOut,
                .swept(.leaseOver), .swept(.leaseOver),
                .swept(.overdue), .swept(.sessionOver), .cancelRequested, .deleted, .retired, .fileRemoved(epoch: epoch),
                .held(true),
                .held(false),
                .ended(epoch: epoch, .succeeded(.sample)), .ended(epoch: epoch, .succeeded(.sample)),
            ] + AttemptEnd.samples.map { .ended(epoch: epoch, $0.end, isTooLate: $0.isTooLate) }
            // What may happen to a workbook would be rare otherwise.
            + (machine.archiveEpoch == nil
                ? [] : [.deleted, .deleted, .fileRemoved(epoch: epoch), .fileRemoved(epoch: epoch)])
        return events[Int(random.next() % UInt64(events.count))]
    }

    private static func name(_ event: JobMachine.Event) -> String {
        switch event {
        case .renewed: "renewed"
        case .ended(_, let end, let isTooLate): "ended \(end.name)\(isTooLate ? " too late" : "")"
        case .fileRemoved: "fileRemoved"
        case .held: "held"
        default: "\(event)"
        }
    }

    /// Runs the statement of the event.
    ///
    /// - Returns: whether a row was changed.
    private func play(
        _ event: JobMachine.Event, _ job: JobRecord, _ pool: PostgresPool, _ admin: PostgresConnection
    ) async throws -> Bool {
        let before = try await row(job, admin)
        switch event {
        case .claimed:
            return try await worker(pool) { try await leases.claim(worker: WorkerID(), on: $0).job } != nil
        case .renewed(let epoch):
            let claimed = try await claimed(job, epoch, admin)
            return try await worker(pool) { try await leases.renew(claimed, rowsDone: 1, rowsTotal: 2, on: $0) } != .lost
        case .leaseRanOut:
            return try await !admin.query(
                Query(
                    "run-out",
                    """
                    UPDATE adminexport.lease SET expires_at = clock_timestamp() - interval '1 s'
                    WHERE expires_at > clock_timestamp() RETURNING 1 AS one
                    """)
            ).isEmpty
        case .ended(let epoch, let end, _):
            let claimed = try await claimed(job, epoch, admin)
            return try await worker(pool) { try await leases.end(claimed, end, on: $0) } != nil
        case .swept(let reason):
            if reason == .sessionOver {
                // A session that held a lock which nobody holds any more.
                try await admin.script(
                    "test",
                    """
                    INSERT INTO adminexport.worker (id, host, version, proof_lock, proof_server, proof_at, proof_lease)
                    SELECT worker, 'h', 'v', 1, pg_postmaster_start_time(), now(), interval '1 d' FROM adminexport.job WHERE state = 'running'
                    UNION ALL
                    SELECT '\(Self.looker)', 'h', 'v', 2, pg_postmaster_start_time(), now() - interval '1 d', '1 d'
                    ON CONFLICT DO NOTHING;
                    SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
                        THEN pg_advisory_lock(2) END
                    """)
            }
            if reason == .overdue {
                try await admin.script(
                    "test",
                    "UPDATE adminexport.job SET deadline_at = now() - interval '1 d' WHERE state = 'running'")
            }
            return try await worker(pool) { try await maintenance.sweep(reason, worker: Self.looker, on: $0) } != nil
        case .cancelRequested:
            _ = try await api(pool) { try await jobs.cancel(job.id, owner: Self.anyone, peer: Self.peer, on: $0) }
        case .deleted:
            _ = try? await api(pool) { try await jobs.delete(job.id, owner: Self.anyone, peer: Self.peer, on: $0) }
        case .retired:
            try await admin.script(
                "test",
                "UPDATE adminexport.job SET expires_at = now() - interval '1 d' WHERE state = 'succeeded'")
            let isRetired = try await worker(pool) { try await Retention.expire(on: $0) } == 1
            // The rules contain no time, so a workbook that a hold has kept must not stay overdue.
            try await admin.script(
                "test", "UPDATE adminexport.job SET expires_at = now() + interval '1 d' WHERE state = 'succeeded'")
            return isRetired
        case .fileRemoved(let epoch):
            let file = try await worker(pool) { try await Retention.expired(after: nil, on: $0) }.first { $0.epoch == epoch }
            guard let file else { return false }
            try await worker(pool) { try await Retention.forget(file, on: $0) }
        case .held(let isHeld):
            _ = try? await api(pool) {
                try await jobs.hold(job.id, isHeld ? .begin() : .end(), owner: Self.anyone, peer: Self.peer, on: $0)
            }
        }
        return try await row(job, admin) != before
    }

    // MARK: Database

    private func start(_ pool: PostgresPool) async throws -> JobRecord {
        try await api(pool) { try await enqueue(on: $0).job }
    }

    /// Starts a job, always with the same idempotency key.
    private func enqueue(on connection: isolated PostgresConnection) async throws -> JobStore.Started {
        try await jobs.enqueue(
            JobStore.Request(
                tenantKey: "1", tenantSlug: "acme", actorKey: "a", actorEmail: "a@x", options: "{}",
                idempotency: ("k", String(repeating: "00", count: 32))),
            JobStore.Limits(queued: 10), peer: Self.peer, on: connection)
    }

    /// Whether a start with the job's key would return the job. The start is rolled back.
    private func keepsKey(_ job: JobRecord, _ pool: PostgresPool) async throws -> Bool {
        struct Asked: Error { let started: JobStore.Started }
        do {
            return try await api(pool) { connection in throw Asked(started: try await enqueue(on: connection)) }
        } catch let asked as Asked {
            #expect((asked.started.job.id == job.id) == asked.started.isReplayed)
            return asked.started.isReplayed
        }
    }

    /// The job with the epoch of a worker.
    private func claimed(_ job: JobRecord, _ epoch: Int, _ admin: PostgresConnection) async throws -> ClaimedJob {
        let rows = try await admin.query(
            Query(
                "claimed",
                """
                SELECT id, $2::int AS epoch, attempt, tenant_key, tenant_slug, actor_key, options::text AS options, created_at, 2026 AS year,
                    created_at AS started_at, created_at AS attempt_started_at, revision, 1 AS month, 0 AS waited_ms FROM adminexport.job WHERE id = $1::uuid
                """, [.text(job.id.description), .integer(epoch)]))
        return try ClaimedJob(try #require(rows.first))
    }

    private func row(_ job: JobRecord, _ admin: PostgresConnection) async throws -> JobMachine {
        let rows = try await admin.query(
            Query(
                "row",
                """
                SELECT j.state, j.epoch, j.attempt, j.crashes, j.losses, j.cancel_requested_at IS NOT NULL AS cancel, j.archive_epoch,
                    j.hold, l.expires_at > clock_timestamp() AS lasts
                FROM adminexport.job j LEFT JOIN adminexport.lease l ON l.job = j.id AND l.epoch = j.epoch WHERE j.id = $1::uuid
                """, [.text(job.id.description)]))
        let row = try #require(rows.first)
        return JobMachine(
            state: try #require(JobState(rawValue: try row.decode("state"))), epoch: try row.decode("epoch"),
            attempt: try row.decode("attempt"), crashes: try row.decode("crashes"), losses: try row.decode("losses"),
            isCancelRequested: try row.decode("cancel"), archiveEpoch: try row.decodeIfPresent("archive_epoch"),
            isHeld: try row.decode("hold"),
            lease: try row.decodeIfPresent("lasts", as: Bool.self).map { $0 ? .valid : .expired })
    }
}

/// A generator of the same numbers in each run, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
