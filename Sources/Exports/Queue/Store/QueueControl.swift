package import Postgres

/// What operators see of the whole queue, and how they control it. Every statement runs as `adminexport_api`, in a transaction of
/// the caller.
package struct QueueControl: Sendable {
    /// Creates the commands. They have no state: callers pass the connection.
    package init() {}

    /// The figures of the whole queue.
    package struct Depth: Sendable {
        /// Jobs that wait.
        package let queued: Int
        /// Jobs that run.
        package let running: Int
        /// How long the oldest job that can be claimed has waited, in milliseconds; nil if no job can be claimed.
        package let oldestQueuedMilliseconds: Int?
        /// Workers that reported in the last 30 s.
        package let workers: Int
        /// Whether an operator has paused all claims.
        package let isPaused: Bool
        /// The first disk state that is not `ok`; nil if all are.
        package let storage: String?
        /// The number of workers by the state of their disk.
        package let workersByStorage: [String: Int]
        /// Jobs that the workers can run at a time.
        package let slots: Int
        /// Workers that claim no more jobs.
        package let draining: Int
        /// The version of the installed schema.
        package let schemaVersion: Int
    }

    /// Counts the jobs and the workers that reported in the last 30 s.
    ///
    /// - Throws: ``PostgresError``
    package func depth(on connection: isolated PostgresConnection) async throws -> Depth {
        let rows = try await connection.query(Query("depth", Self.depthSQL))
        guard let row = rows.first else { throw PostgresError(.unexpectedResult, "no counts", query: "depth") }
        return Depth(
            queued: try row.decode("queued"), running: try row.decode("running"),
            oldestQueuedMilliseconds: try row.decodeIfPresent("oldest"), workers: try row.decode("workers"),
            isPaused: try row.decode("paused"), storage: try row.decodeIfPresent("storage"),
            workersByStorage: [
                "ok": try row.decode("ok"), "full": try row.decode("full"), "failed": try row.decode("failed"),
                "wrong-store": try row.decode("wrong"),
            ], slots: try row.decode("slots"), draining: try row.decode("draining"),
            schemaVersion: try row.decode("version"))
    }

    static let depthSQL = """
        SELECT (SELECT count(*) FROM adminexport.job WHERE state = 'queued') AS queued,
            (SELECT count(*) FROM adminexport.job WHERE state = 'running') AS running,
            (SELECT (extract(epoch FROM clock_timestamp() - min(greatest(created_at, run_after))) * 1000)::bigint
             FROM adminexport.job WHERE state = 'queued' AND run_after <= clock_timestamp()) AS oldest,
            count(w.id) AS workers, coalesce(sum(w.slots), 0)::bigint AS slots,
            count(w.id) FILTER (WHERE w.drain_requested) AS draining,
            count(w.id) FILTER (WHERE w.storage = 'ok') AS ok, count(w.id) FILTER (WHERE w.storage = 'full') AS full,
            count(w.id) FILTER (WHERE w.storage = 'failed') AS failed,
            count(w.id) FILTER (WHERE w.storage = 'wrong-store') AS wrong, min(w.storage) FILTER (WHERE w.storage <> 'ok') AS storage,
            EXISTS (SELECT FROM adminexport.setting WHERE key = 'paused' AND value = 'true') AS paused,
            (SELECT max(version) FROM adminexport.schema_migration) AS version
        FROM adminexport.worker w WHERE w.seen_at > clock_timestamp() - interval '30 s'
        """

    /// The sums of the counters of all present and past workers, by name; see ``WorkerCounters``.
    package func counters(on connection: isolated PostgresConnection) async throws -> [String: Int] {
        let rows = try await connection.query(
            Query(
                "counters",
                """
                SELECT key, sum(value::bigint)::bigint AS total FROM (
                    SELECT e.key, e.value FROM adminexport.worker w, jsonb_each_text(w.counters) e
                    UNION ALL
                    SELECT e.key, e.value FROM adminexport.setting s, jsonb_each_text(s.value::jsonb) e
                    WHERE s.key = 'retired_counters') counters
                GROUP BY key LIMIT 1000
                """))
        return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.decode("key"), try $0.decode("total")) })
    }

    private static let workerColumns = """
        w.id::text AS id, w.host, w.version, w.started_at, w.seen_at, w.slots, w.drain_requested, w.storage,
        (SELECT count(*) FROM adminexport.job j WHERE j.state = 'running' AND j.worker = w.id) AS running
        """

    /// The workers that reported in the last 30 s, the oldest first.
    package func workers(on connection: isolated PostgresConnection) async throws -> [WorkerRecord] {
        let rows = try await connection.query(
            Query(
                "workers",
                """
                SELECT \(Self.workerColumns) FROM adminexport.worker w
                WHERE w.seen_at > clock_timestamp() - interval '30 s' ORDER BY w.started_at, w.id LIMIT 1000
                """))
        return try rows.map { try WorkerRecord($0) }
    }

    /// Pauses or resumes all claims. Jobs that run continue.
    ///
    /// - Returns: whether anything changed.
    @discardableResult
    package func pause(_ isPaused: Bool, peer: CallingProcess, on connection: isolated PostgresConnection) async throws
        -> Bool
    {
        let rows = try await connection.query(
            Query(
                "pause",
                """
                UPDATE adminexport.setting SET value = $1 WHERE key = 'paused' AND value <> $1 RETURNING \(QueueNotification.work.sql)
                """, [.text(isPaused ? "true" : "false")]))
        guard !rows.isEmpty else { return false }
        try await Audit.record([Audit.Entry(event: isPaused ? .paused : .resumed, peer: peer)], on: connection)
        return true
    }

    /// Stops or resumes the claims of one worker, which finishes the jobs that it runs.
    ///
    /// - Throws: ``QueueError/noWorker``
    package func drain(
        _ worker: WorkerID, _ isDraining: Bool, peer: CallingProcess, on connection: isolated PostgresConnection
    ) async throws -> WorkerRecord {
        let changed = try await connection.query(
            Query(
                "drain",
                """
                UPDATE adminexport.worker SET drain_requested = $2::boolean
                WHERE id = $1::uuid AND seen_at > clock_timestamp() - interval '30 s' RETURNING \(QueueNotification.work.sql)
                """, [.text(worker.description), .bool(isDraining)]))
        guard !changed.isEmpty else { throw QueueError.noWorker }
        let entry = Audit.Entry(
            event: .drained, peer: peer, reason: isDraining ? "on" : "off", details: #"{"worker": "\#(worker)"}"#)
        try await Audit.record([entry], on: connection)
        let rows = try await connection.query(
            Query(
                "worker", "SELECT \(Self.workerColumns) FROM adminexport.worker w WHERE w.id = $1::uuid",
                [.text(worker.description)]))
        guard let row = rows.first else { throw QueueError.noWorker }
        return try WorkerRecord(row)
    }
}

/// The row of a worker.
package struct WorkerRecord: Sendable {
    /// The id. A worker has a new one after each start.
    package let id: WorkerID
    /// The name of the worker's machine.
    package let host: String
    /// The version of the worker's program.
    package let version: String
    /// When the worker registered.
    package let startedAt: Timestamp
    /// When the worker last reported, by the database's clock.
    package let seenAt: Timestamp
    /// Jobs that the worker runs at a time, at most.
    package let slots: Int
    /// Jobs that the worker runs now.
    package let running: Int
    /// Whether an operator has stopped the worker's claims.
    package let isDraining: Bool
    /// The state of the worker's disk: `ok`, `full`, `failed` or `wrong-store`.
    package let storage: String

    init(_ row: Row) throws {
        id = try WorkerID(row)
        host = try row.decode("host")
        version = try row.decode("version")
        startedAt = try row.decode("started_at")
        seenAt = try row.decode("seen_at")
        slots = try row.decode("slots")
        running = try row.decode("running")
        isDraining = try row.decode("drain_requested")
        storage = try row.decode("storage")
    }
}
