internal import Directory
internal import Postgres

/// A denial by a standby that may not have seen yet what the start of the export saw.
struct DirectoryBehind: Error {
    let denial: Denial

    /// Decides whether a denial of a running export is final: a standby may deny because it lags behind the start.
    ///
    /// The start found that the actor may export, so only a transaction that was committed after the job was made can take
    /// that away. While the standby has replayed no such transaction, its denial is older than the start. Once it has, the
    /// permission is checked again, since the export's snapshot may be older than that replay.
    ///
    /// - Returns: what the attempt ends with.
    static func judge(
        _ error: DirectoryError, of job: ClaimedJob, keys: KeyTypes, pool: PostgresPool, role: String
    ) async -> any Error {
        guard case .denied(let denial) = error else { return error }
        do {
            return try await pool.withConnection { connection in
                switch try await hasReplayed(past: job.createdAt, on: connection) {
                case nil: return error
                case false?: return DirectoryBehind(denial: denial)
                case true?: break
                }
                do {
                    _ = try await connection.withTransaction(readOnly: true, role: role) { connection in
                        try await ExportPermission.check(
                            .keys(tenant: job.tenantKey, actor: job.actorKey), keys: keys, on: connection)
                    }
                    return DirectoryBehind(denial: denial)
                } catch let error as DirectoryError {
                    return error
                }
            }
        } catch {
            return error
        }
    }

    /// Whether the standby has replayed a transaction that was committed after the moment; nil where it is no standby.
    private static func hasReplayed(
        past moment: Timestamp, on connection: isolated PostgresConnection
    ) async throws -> Bool? {
        let rows = try await connection.query(
            Query(
                "replayed",
                """
                SELECT pg_is_in_recovery() AS recovering, coalesce(pg_last_xact_replay_timestamp()
                    > '1970-01-01 00:00+00'::timestamptz + $1::bigint * interval '1 microsecond', false) AS replayed
                """, [.integer(Int(moment.microseconds))]))
        guard let row = rows.first, try row.decode("recovering") else { return nil }
        return try row.decode("replayed")
    }
}
