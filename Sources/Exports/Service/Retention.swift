internal import Archive
package import Jobs
package import Logging
private import Postgres
internal import ServiceLifecycle

/// Ends the life of files: says so in the row first, then removes the file, so that no row promises a missing file.
package struct Retention: Service {
    private let database: JobDatabase
    private let disk: ArchiveDisk
    private let history: Duration
    private let interval: Duration
    private let logger: Logger
    private static let orphanInterval: Duration = .seconds(60)

    package init(
        database: JobDatabase, disk: ArchiveDisk, history: Duration, interval: Duration = .seconds(2), logger: Logger
    ) {
        self.database = database
        self.disk = disk
        self.history = history
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        var backoff = Backoff(cap: .seconds(30))
        var nextOrphans = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let wait: Duration
            do {
                try await sweep()
                if ContinuousClock.now >= nextOrphans {
                    try await sweepOrphans()
                    nextOrphans = .now + Self.orphanInterval
                }
                backoff.reset()
                wait = interval
            } catch {
                wait = backoff.next()
                logger.debug("Cannot sweep archives", metadata: ["error": "\(error)"])
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
        }
    }

    /// Expires what is due, removes the files of what has expired, and forgets jobs that are long over; some hundred at a
    /// time.
    package func sweep() async throws {
        try await StoreCheck(database: database, disk: disk).verify()
        try await database.transaction { try await Self.expire(on: $0) }
        var last: String?
        while true {
            let files = try await database.transaction { [last] in try await Self.expired(after: last, on: $0) }
            guard let final = files.last else { break }
            for file in files { await remove(file) }
            last = final.job
        }
        try await database.transaction { try await Self.forget(olderThan: history, on: $0) }
    }

    /// Removes what a crash left.
    package func sweepOrphans() async throws {
        let removed = try await OrphanSweep(database: database, disk: disk).run()
        if removed > 0 { logger.notice("Removed files that no job names", metadata: ["files": "\(removed)"]) }
    }

    /// One file that cannot be removed must not keep the others.
    private func remove(_ file: ExpiredFile) async {
        do {
            try await disk.remove(file.name)
            try await database.transaction { try await Self.forget(file, on: $0) }
            logger.info("Removed an archive", metadata: ["job": "\(file.job)"])
        } catch {
            logger.warning("Cannot remove an archive", metadata: ["job": "\(file.job)", "error": "\(error)"])
        }
    }

    private struct ExpiredFile: Sendable {
        let job: String
        let epoch: Int
        let name: ArchiveName
    }

    private static func expire(on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "expire",
                """
                WITH due AS MATERIALIZED (
                    SELECT id FROM adminexport.job
                    WHERE state = 'succeeded' AND NOT hold AND expires_at < now()
                    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
                ), changed AS (
                    UPDATE adminexport.job j SET state = 'expired', revision = j.revision + 1 FROM due
                    WHERE j.id = due.id AND j.state = 'succeeded' AND NOT j.hold RETURNING j.*
                )
                INSERT INTO adminexport.audit_event (event, job, tenant_slug, actor_key, actor_email)
                SELECT 'expired', id, tenant_slug, actor_key, actor_email FROM changed
                """))
    }

    private static func expired(
        after last: String?, on connection: isolated PostgresConnection
    ) async throws -> [ExpiredFile] {
        let rows = try await connection.query(
            Query(
                "files-to-remove",
                """
                SELECT id, archive_epoch, tenant_slug, extract(year FROM created_at AT TIME ZONE 'UTC')::int AS year,
                    extract(month FROM created_at AT TIME ZONE 'UTC')::int AS month
                FROM adminexport.job
                WHERE state = 'expired' AND archive_epoch IS NOT NULL AND ($1::uuid IS NULL OR id > $1::uuid)
                ORDER BY id LIMIT 100
                """, [.text(last)]))
        return try rows.map { row in
            let job: String = try row.decode("id")
            let epoch: Int = try row.decode("archive_epoch")
            return ExpiredFile(
                job: job, epoch: epoch,
                name: ArchiveName(
                    tenant: try row.decode("tenant_slug"), year: try row.decode("year"), month: try row.decode("month"),
                    job: job, epoch: epoch))
        }
    }

    /// Uses the index on `finished_at` of final jobs.
    private static func forget(
        olderThan history: Duration, on connection: isolated PostgresConnection
    ) async throws {
        try await connection.query(
            Query(
                "forget-jobs",
                """
                DELETE FROM adminexport.job WHERE id IN (
                    SELECT id FROM adminexport.job
                    WHERE state IN ('failed', 'cancelled', 'expired') AND archive_epoch IS NULL AND NOT hold
                        AND finished_at < now() - $1::interval
                    ORDER BY finished_at LIMIT 100 FOR UPDATE SKIP LOCKED)
                """, [.interval(history)]))
    }

    private static func forget(_ file: ExpiredFile, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "file-removed",
                """
                UPDATE adminexport.job SET archive_epoch = NULL
                WHERE id = $1::uuid AND state = 'expired' AND archive_epoch = $2::int
                """, [.text(file.job), .integer(file.epoch)]))
    }
}
