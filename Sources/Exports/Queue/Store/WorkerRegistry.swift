internal import Postgres

/// What a worker writes about itself.
struct WorkerRegistration: Sendable {
    let id: WorkerID
    let host: String
    let version: String
    let slots: Int
    /// `ok`, `full`, `failed` or `wrong-store`.
    let storage: String
    /// See ``WorkerCounters/row(with:)``.
    let counters: String
    var shown = WorkerCounters.Shown()
}

/// The rows of the workers, and the counters of workers that have ended.
struct WorkerRegistry: Sendable {
    /// Reports that the worker is alive, and the state of its disk.
    ///
    /// - Returns: whether the row is new. A new row shows no counters before the next registration: the total may already contain
    ///   them, see ``WorkerCounters/restart()``.
    @discardableResult
    func register(_ worker: WorkerRegistration, on connection: isolated PostgresConnection) async throws -> Bool {
        var parameters = Parameters()
        let sql = Self.upsert(worker, &parameters)
        return try await connection.query(Query("register-worker", sql, parameters.values)).first?.decode("is_new") ?? false
    }

    static func upsert(_ worker: WorkerRegistration, _ parameters: inout Parameters) -> String {
        let columns = [
            parameters.add(.text(worker.id.description)) + "::uuid", parameters.add(.text(worker.host)),
            parameters.add(.text(worker.version)), parameters.add(.integer(worker.slots)) + "::int",
            parameters.add(.text(worker.storage)),
        ]
        return """
            INSERT INTO adminexport.worker (id, host, version, slots, storage, counters)
            VALUES (\(columns.joined(separator: ", ")), '{}')
            ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), storage = excluded.storage,
                counters = \(parameters.add(.text(worker.counters)))::jsonb
            RETURNING xmax = 0 AS is_new
            """
    }

    /// Records the lock by which others see that the worker lives, if it is held on the server that this connection leads to.
    ///
    /// - Parameters:
    ///   - lock: nil if no session holds a lock any more.
    ///   - lease: the duration of the worker's leases.
    func record(_ lock: Int?, lease: Duration, of worker: WorkerID, on connection: isolated PostgresConnection) async throws
    {
        var parameters = Parameters([.text(worker.description)])
        var proof = "NULL, NULL, NULL, NULL"
        if let lock {
            let number = parameters.add(.integer(lock))
            proof = """
                SELECT \(number)::bigint, pg_postmaster_start_time(), clock_timestamp(), \(parameters.add(.interval(lease)))::interval
                WHERE NOT pg_try_advisory_xact_lock_shared(\(number)::bigint)
                """
        }
        try await connection.query(
            Query(
                "record-proof",
                """
                UPDATE adminexport.worker SET (proof_lock, proof_server, proof_at, proof_lease) = (\(proof)) WHERE id = $1::uuid
                """,
                parameters.values))
    }

    /// Whether the worker of a running job `j` with the lease `l` is dead, in SQL: it has not renewed the lease for two seconds, and its
    /// session has ended on this server.
    ///
    /// A crash of the server ends all sessions and does not change its start. So the worker that looks must hold a lock itself, and
    /// have held it since before the last renewal of the lease, or for five seconds, in which the others renew. The tests take locks
    /// until the end of the statement. They are shared, so tests do not disturb one another.
    ///
    /// - Parameter looker: the parameter with the worker that looks.
    static func isDead(seenBy looker: String) -> String {
        """
        EXISTS (SELECT FROM adminexport.worker w JOIN adminexport.worker me ON me.proof_server = w.proof_server
            WHERE w.id = j.worker AND me.id = \(looker)::uuid AND w.proof_server = pg_postmaster_start_time()
                AND CASE WHEN l.expires_at - w.proof_lease < clock_timestamp() - least(interval '2 s', w.proof_lease / 2)
                    AND me.proof_at < greatest(l.expires_at - w.proof_lease, clock_timestamp() - interval '5 s')
                    THEN pg_try_advisory_xact_lock_shared(w.proof_lock) AND NOT pg_try_advisory_xact_lock_shared(me.proof_lock) END)
        """
    }

    /// Removes the row of a worker that ends.
    func unregister(_ worker: WorkerRegistration, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "unregister-worker",
                Self.retire("DELETE FROM adminexport.worker WHERE id = $1::uuid RETURNING $2::jsonb AS counters"),
                [.text(worker.id.description), .text(worker.counters)]))
    }

    /// Removes the rows of workers that ended without unregistering. No other row refers to them.
    func forgetDead(on connection: isolated PostgresConnection) async throws {
        let deletion =
            "DELETE FROM adminexport.worker WHERE seen_at < clock_timestamp() - interval '1 day' RETURNING counters"
        try await connection.query(Query("forget-workers", Self.retire(deletion)))
    }

    /// Adds the counters of deleted rows to the total of all workers that have ended.
    private static func retire(_ deletion: String) -> String {
        """
        WITH gone AS (\(deletion))
        UPDATE adminexport.setting s SET value = (
            SELECT jsonb_object_agg(key, total)::text FROM (
                SELECT key, sum(value::bigint) AS total FROM (
                    SELECT key, value FROM jsonb_each_text(s.value::jsonb)
                    UNION ALL SELECT e.key, e.value FROM gone, jsonb_each_text(gone.counters) e) each
                GROUP BY key) sums)
        WHERE s.key = 'retired_counters' AND EXISTS (SELECT FROM gone, jsonb_each_text(gone.counters))
        """
    }
}
