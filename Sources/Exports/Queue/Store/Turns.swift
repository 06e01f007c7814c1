internal import Postgres

/// Whose turn it is, in SQL: the tenant that was served longest ago, of those that are ready and run fewer jobs than their limit.
///
/// The index `tenant_slot_ready` has the tenants in the order of `running`, then of their places. A statement reads one entry for each
/// distinct `running` below the limit, so neither tenants that wait, nor tenants at their limit, nor the history cost time. A tenant
/// that is not ready has no job to claim. One that is ready may have none: ``settle`` takes it out.
enum Turns {
    /// Common table expressions that end with `best`: the slot of the next tenant; no row if there is none.
    ///
    /// Parameter 1 is the worker, 2 the limit. `front` looks at one level after the other, each time for a tenant that is before the best
    /// one so far. Both bounds are ends of an index scan, because a held snapshot keeps any number of dead entries beyond them.
    ///
    /// - Parameters:
    ///   - recent: the parameter with the tenants that this worker served last. They may be ready for no reason.
    ///   - bound: where to begin, as SQL over the sequence `first_place`.
    static func best(recent: String, from bound: String = "last_value") -> String {
        let before = """
            (s.place, s.turn, s.tenant_key) < (coalesce(f.place, \(Int.max)), coalesce(f.turn, 0), coalesce(f.tenant_key, ''))
            """
        return """
            bound AS MATERIALIZED (
                SELECT \(bound) AS place, last_value FROM adminexport.first_place
                WHERE NOT EXISTS (SELECT FROM adminexport.setting WHERE key = 'paused' AND value = 'true')
                    AND NOT EXISTS (SELECT FROM adminexport.worker WHERE id = $1::uuid AND drain_requested)
            ), front AS (
                SELECT 0 AS level, f.* FROM (VALUES (0)) one LEFT JOIN LATERAL (\(first(recent, where: "s.running = 0"))) f ON true
                UNION ALL
                SELECT f.level + 1, coalesce(n.at, f.at), coalesce(n.running, f.running), coalesce(n.place, f.place),
                    coalesce(n.turn, f.turn), coalesce(n.tenant_key, f.tenant_key)
                FROM front f LEFT JOIN LATERAL (\(first(recent, where: "s.running = f.level + 1 AND \(before)"))) n ON true
                WHERE f.level + 1 < least($2::int, \(levels))
            ), best AS MATERIALIZED (
                SELECT at, running, place FROM (
                    (SELECT at, running, place, turn, tenant_key FROM front ORDER BY level DESC LIMIT 1)
                    UNION ALL
                    (\(first(recent, where: "s.running >= \(levels)"))) ) f
                WHERE running IS NOT NULL ORDER BY place, turn, tenant_key LIMIT 1
            )
            """
    }

    /// How many levels are looked at one by one. Few tenants run more jobs than this, so the others are looked at together.
    private static let levels = 16

    /// The first tenant in the order of the index.
    private static func first(_ recent: String, where condition: String) -> String {
        """
        SELECT s.ctid AS at, s.running, s.place, s.turn, s.tenant_key FROM adminexport.tenant_slot s
                    WHERE s.ready AND s.running < $2::int AND \(condition) AND s.place >= (SELECT place FROM bound) AND \(mayHaveJob(recent))
                    ORDER BY s.running, s.place, s.turn, s.tenant_key LIMIT 1
        """
    }

    /// Whether the slot's tenant may have a job to claim. Only for the tenants that were served last it looks.
    private static func mayHaveJob(_ recent: String) -> String {
        """
        (s.tenant_key <> ALL (\(recent)::text[]) OR EXISTS (
                SELECT FROM adminexport.job q WHERE q.tenant_key = s.tenant_key AND q.state = 'queued' AND NOT q.delayed AND q.id >= s.head))
        """
    }

    /// `slot` and `picked`: the tenant's slot and its first job, both locked.
    ///
    /// The rows are locked with SKIP LOCKED, so claims never wait for one another. If others hold the best tenant, the next one of its
    /// level follows, and then any. The expressions are materialized, because a planner that runs a LIMIT … FOR UPDATE twice locks more
    /// rows than intended.
    static func picked(recent: String) -> String {
        func locked(_ condition: String) -> String {
            """
            SELECT * FROM (SELECT s.tenant_key, s.head FROM adminexport.tenant_slot s
                    WHERE s.ready AND s.running < $2::int AND \(condition) FOR UPDATE SKIP LOCKED)
            """
        }
        let order = "\(mayHaveJob(recent)) ORDER BY s.running, s.place, s.turn, s.tenant_key LIMIT 1"
        let level = "s.running = (SELECT running FROM best)"
        return """
            slot AS MATERIALIZED (
                \(locked("s.ctid = (SELECT at FROM best) AND \(level)")) best
                UNION ALL
                \(locked("\(level) AND s.place >= (SELECT place FROM best) AND \(order)")) next
                UNION ALL
                \(locked("(SELECT place FROM best) IS NOT NULL AND s.place >= (SELECT place FROM bound) AND \(order)")) other
                LIMIT 1
            ), picked AS MATERIALIZED (
                SELECT q.ctid AS place, clock_timestamp() AS at FROM adminexport.job q
                WHERE q.tenant_key = (SELECT tenant_key FROM slot) AND q.state = 'queued' AND NOT q.delayed AND q.id >= (SELECT head FROM slot)
                ORDER BY q.priority DESC, q.id LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            """
    }

    /// Where a search from the beginning begins.
    static let firstOfAll = "\(Int.min)"

    /// Moves the bound down to a tenant that a search from the beginning has found below it. An expression over `bound` and `best`.
    static let lowersBound = """
        CASE WHEN (SELECT place FROM best) < (SELECT last_value FROM bound)
            THEN setval('adminexport.first_place', (SELECT place FROM best)) END
        """

    /// After so many claims, a worker moves the bound up. Under a held snapshot, the next claims read as many dead entries.
    static let claimsForRaise = 32

    /// Moves the bound up behind the tenants that claims have passed; see `raise_first_place` in the schema.
    static func raiseBound(tenantLimit: Int, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query("raise-bound", "SELECT adminexport.raise_first_place($1::int) IS NULL AS done", [.integer(tenantLimit)]))
    }

    /// Takes `ready` from tenants without a job to claim: those of an array, and as many of the first ones as a number says. An
    /// expression.
    static func settle(_ tenants: String, first count: String) -> String {
        """
        adminexport.settle_tenants(\(tenants)::text[] || ARRAY(
                SELECT s.tenant_key FROM adminexport.tenant_slot s WHERE s.ready AND s.running < $2::int
                ORDER BY s.running, s.place, s.turn, s.tenant_key LIMIT \(count)::int))
        """
    }

    /// Makes the jobs claimable whose time has come, up to 64 in a call.
    ///
    /// It locks the slots in the statement that changes the jobs. The trigger `job_ready` runs after it, so it sees what others did to
    /// the slots before they were locked. It skips locked rows: they are due at the next call.
    ///
    /// - Returns: how many jobs can be claimed now.
    static func promote(on connection: isolated PostgresConnection) async throws -> Int {
        try await connection.query(Query("promote", promoteSQL)).count
    }

    static let promoteSQL = """
        WITH due AS MATERIALIZED (
            SELECT id, tenant_key FROM adminexport.job WHERE state = 'queued' AND delayed AND run_after <= now()
            ORDER BY run_after LIMIT 64
        ), slot AS MATERIALIZED (
            SELECT s.tenant_key FROM adminexport.tenant_slot s WHERE s.tenant_key IN (SELECT tenant_key FROM due) FOR UPDATE SKIP LOCKED
        ), free AS MATERIALIZED (
            SELECT j.id FROM adminexport.job j JOIN due USING (id) JOIN slot ON slot.tenant_key = due.tenant_key
            WHERE j.state = 'queued' AND j.delayed FOR UPDATE OF j SKIP LOCKED
        )
        UPDATE adminexport.job j SET delayed = false FROM free WHERE j.id = free.id RETURNING \(QueueNotification.work.sql)
        """
}
