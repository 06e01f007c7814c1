package import Postgres

/// A job that this worker holds.
package struct ClaimedJob: Sendable {
    package let id: JobID
    package let epoch: Int
    package let attempt: Int
    package let tenantKey: String
    package let tenantSlug: String
    package let actorKey: String
    /// JSON.
    package let options: String
    package let createdAt: Timestamp
    /// Year and month of the job's creation in UTC.
    package let createdMonth: (year: Int, month: Int)

    /// From when it could be claimed until it was.
    let waited: Duration
    let claimedAt = ContinuousClock.now

    init(_ row: Row) throws {
        guard let id = JobID(try row.decode("id")) else {
            throw PostgresError(.unexpectedResult, "a job has no id", query: "claim")
        }
        self.id = id
        epoch = try row.decode("epoch")
        attempt = try row.decode("attempt")
        tenantKey = try row.decode("tenant_key")
        tenantSlug = try row.decode("tenant_slug")
        actorKey = try row.decode("actor_key")
        options = try row.decode("options")
        createdAt = try row.decode("created_at")
        waited = .milliseconds(try row.decode("waited_ms", as: Int.self))
        createdMonth = (try row.decode("year"), try row.decode("month"))
    }
}
