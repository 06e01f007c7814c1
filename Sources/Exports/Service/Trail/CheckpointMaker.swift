internal import Evidence
private import Foundation
package import Logging
internal import Postgres
internal import ServiceLifecycle

/// Signs a checkpoint of the audit trail every hour, and when the owner wants to remove old months.
///
/// A checkpoint covers all events before a moment. It is made when all transactions that were open at that moment have ended, so no event before
/// that moment can be added any more: a transaction that commits late delays the checkpoint and is no alarm. Callers do nothing for it.
package struct CheckpointMaker: Service {
    private let database: JobDatabase
    private let signer: EvidenceSigner
    private let version: String
    private let logger: Logger
    /// An event gets its time just before its transaction gets a number. The margin is longer than that, and than a step of the clock.
    /// In microseconds.
    private let margin: Int
    private let maxEvents: Int

    private static let interval: Duration = .seconds(3_600)
    /// How often it looks whether a checkpoint is due.
    private static let poll: ClosedRange<Duration> = .seconds(25)...(.seconds(35))
    /// How often it looks whether the open transactions have ended.
    private static let wait: Duration = .seconds(1)
    /// How long a checkpoint waits for them. Then the next one begins to wait.
    private static let maxWait: Duration = .seconds(3_600)
    /// In seconds.
    private static let maxClockDifference = 30.0
    /// The maximum number of events of a checkpoint. More events need more checkpoints.
    package static let maxEvents = 100_000

    /// A maker.
    ///
    /// - Parameters:
    ///   - version: of the program, for the checkpoints.
    ///   - margin: how far before the present a checkpoint ends.
    package init(
        database: JobDatabase, signer: EvidenceSigner, version: String, margin: Duration = .seconds(60),
        maxEvents: Int = maxEvents, logger: Logger
    ) {
        self.margin = Int(margin / .microseconds(1))
        self.maxEvents = maxEvents
        self.database = database
        self.signer = signer
        self.version = version
        self.logger = logger
    }

    /// Makes checkpoints until the service stops.
    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var backoff = Backoff(first: .seconds(5), cap: .seconds(300))
            while !Task.isCancelled {
                do {
                    try await makeDue()
                    backoff.reset()
                } catch is CancellationError {
                    return
                } catch {
                    logger.report(ExportEvent.checkpointFailed, [.error: error])
                    try await Task.sleep(for: backoff.next())
                }
                try await Task.sleep(
                    for: .seconds(1)
                        * Double.random(in: Self.poll.lowerBound / .seconds(1)...Self.poll.upperBound / .seconds(1)))
            }
        }
    }

    /// The end of the chain.
    private struct State {
        let last: Checkpoint?
        let predicate: CheckpointPredicate?
        let isDue: Bool
        /// The day before which the owner wants to remove events; nil without a request.
        let request: String?

        /// The time from which the next checkpoint covers events, in microseconds since 1970; nil for the beginning.
        var from: Int? {
            get throws {
                try predicate.map { predicate in
                    guard let moment = EvidenceTime.microseconds(exact: predicate.before) else {
                        throw PostgresError(.unexpectedResult, "the last checkpoint of the audit trail has no valid time")
                    }
                    return moment
                }
            }
        }
    }

    private func makeDue() async throws {
        if signer.mayAct, try await state().isDue { try await make() }
    }

    /// Makes checkpoints until they cover all events before the present, and returns when they are in the table.
    package func make() async throws {
        let end = try await settledMoment()
        var last: Int?
        while true {
            let state = try await state()
            let from = try state.from
            guard from ?? 0 < end else {
                // Not by a clock that was set back while a checkpoint was made.
                if from ?? 0 > end + 2 * max(margin, 60_000_000) {
                    throw PostgresError(
                        .unexpectedResult,
                        "the newest checkpoint of the audit trail ends in the future; check the clock of the database, and see EVIDENCE.md"
                    )
                }
                return
            }
            guard try await make(after: state, from: from, before: end) || last != state.predicate?.number ?? 0 else {
                // Another worker may be faster, but not twice with the same checkpoint.
                throw PostgresError(.unexpectedResult, "the numbers of the checkpoints of the audit trail were changed")
            }
            last = state.predicate?.number ?? 0
        }
    }

    /// Reads the end of the chain, and whether another checkpoint is due. Uses the primary keys.
    private func state() async throws -> State {
        let rows = try await database.statement { connection in
            try await connection.query(
                Query(
                    "checkpoint-state",
                    """
                    SELECT c.number, c.envelope, clock_timestamp() AS now,
                        (SELECT max(before)::text FROM adminexport.audit_prune
                            WHERE requested_at > now() - interval '10 minutes' AND before = date_trunc('month', before)
                                AND before <= (now() AT TIME ZONE 'UTC')::date) AS pruned,
                        EXISTS (SELECT FROM adminexport.setting WHERE key = 'audit_tenant_key_after') AS is_changing
                    FROM (SELECT 1) AS always LEFT JOIN LATERAL (
                        SELECT number, envelope FROM adminexport.audit_checkpoint ORDER BY number DESC LIMIT 1) AS c ON true
                    """))
        }
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "no row of the audit trail's state") }
        let last = try row.decodeIfPresent("envelope", as: String.self).map { try Checkpoint(json: Data($0.utf8)) }
        let predicate = try last.map { try $0.unverified() }
        guard try predicate?.number == row.decodeIfPresent("number") else {
            throw PostgresError(.unexpectedResult, "the numbers of the checkpoints of the audit trail were changed")
        }
        // By the signed time: anybody who can change the table can change other columns.
        let now = EvidenceTime.exactText(
            microseconds: Int(try row.decode("now", as: Timestamp.self).microseconds) - Int(Self.interval / .microseconds(1))
        )
        let request: String? = try row.decodeIfPresent("pruned")
        let isRequested = request.map { $0 > predicate?.prunedBefore ?? "" || $0 > predicate?.before ?? "" } ?? false
        // A migration still adds keys to old events.
        let isChanging: Bool = try row.decode("is_changing")
        return State(
            last: last, predicate: predicate,
            isDue: !isChanging && (isRequested || predicate.map { $0.before < now } ?? true),
            request: request)
    }

    /// The transactions that write to this database, by their numbers. Sessions come first: a transaction that is being prepared is in both.
    private static let openTransactions = """
        SELECT a.backend_xid::text AS number FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL
        UNION ALL SELECT p.transaction::text FROM pg_prepared_xacts p WHERE p.database = current_database()
        """

    /// A moment before which no event can be added any more, in microseconds since 1970.
    ///
    /// It waits for all transactions that were open at the moment. `pg_snapshot_xmin` would also wait for those of other databases.
    private func settledMoment() async throws -> Int {
        let rows = try await database.statement { connection in
            try await connection.query(
                Query(
                    "checkpoint-moment",
                    "SELECT clock_timestamp() AS now, ARRAY(SELECT number FROM (\(Self.openTransactions)) AS t) AS open"))
        }
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "no row of the server's time") }
        let now = Int(try row.decode("now", as: Timestamp.self).microseconds)
        let difference = Date(timeIntervalSince1970: Double(now) / 1_000_000).timeIntervalSinceNow
        guard abs(difference) < Self.maxClockDifference else {
            // A checkpoint that ends in the future would cover events that are still to come.
            throw PostgresError(
                .unexpectedResult,
                "the clocks of the database and of the worker differ by more than \(Int(Self.maxClockDifference)) s; synchronize both clocks"
            )
        }
        let moment = now - margin
        let open: [String] = try row.decode("open")
        var waited = Duration.zero
        while try await !haveEnded(open) {
            try await Task.sleep(for: Self.wait)
            waited += Self.wait
            guard waited.components.seconds % 600 == 0 else { continue }
            logger.report(ExportEvent.checkpointDelayed, [.seconds: waited.components.seconds])
            if waited >= Self.maxWait {
                throw PostgresError(.timedOut, "a transaction that writes to the database has been open for an hour")
            }
        }
        return moment
    }

    private func haveEnded(_ transactions: [String]) async throws -> Bool {
        guard !transactions.isEmpty else { return true }
        let rows = try await database.statement { connection in
            try await connection.query(
                Query(
                    "checkpoint-settled",
                    "SELECT NOT EXISTS (SELECT FROM (\(Self.openTransactions)) AS t WHERE number = ANY ($1::text[])) AS settled",
                    [.texts(transactions)]))
        }
        return try rows.first?.decode("settled") ?? false
    }

    /// Makes the next checkpoint.
    ///
    /// - Returns: false if another worker made it.
    private func make(after state: State, from: Int?, before end: Int) async throws -> Bool {
        // A month is removed as a whole, so no checkpoint covers events of two months. Months without events need none.
        let first = try await database.statement { try await TrailReader.first(from: from, on: $0) }
        let before = first.map { min(end, Self.nextMonth(after: max($0, 0))) } ?? end
        let part = try await TrailReader.read(from: from, before: before, maxEvents: maxEvents) { query in
            try await database.statement { try await $0.query(query) }
        }
        let covered = EvidenceTime.exactText(microseconds: part.before ?? before)
        // Only a checkpoint after all those events says that they may be removed.
        let request = state.request.flatMap { $0 <= covered ? $0 : nil }
        let number = (state.predicate?.number ?? 0) + 1
        let checkpoint = try await signer.sign(
            CheckpointPredicate(
                number: number, previous: state.last?.digest, from: state.predicate?.before,
                before: covered, events: part.events, sha256: part.sha256,
                prunedBefore: [request, state.predicate?.prunedBefore].compactMap(\.self).max(), signedAt: EvidenceTime.now,
                installation: signer.installation(),
                program: .init(name: ExportService.productName, version: version)))
        let json = try checkpoint.envelope.json
        let inserted = try await database.statement { connection in
            try await connection.query(
                Query(
                    "insert-checkpoint",
                    """
                    INSERT INTO adminexport.audit_checkpoint (number, envelope) VALUES ($1::bigint, $2::text)
                    ON CONFLICT (number) DO NOTHING RETURNING number
                    """, [.integer(number), .text(json)]))
        }
        guard !inserted.isEmpty else { return false }
        logger.report(
            ExportEvent.checkpointMade,
            [.checkpoint: number, .events: part.events, .digest: checkpoint.digest, .envelope: json])
        return true
    }

    /// The first moment of the following month in UTC, in microseconds since 1970.
    static func nextMonth(after microseconds: Int) -> Int {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let date = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
        let month = calendar.dateInterval(of: .month, for: date)?.end ?? date
        return (Int(exactly: month.timeIntervalSince1970) ?? microseconds / 1_000_000) * 1_000_000
    }
}
