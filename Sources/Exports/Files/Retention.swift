internal import Archive
package import Logging
internal import Postgres
internal import ServiceLifecycle
private import Synchronization

/// The maintenance of files and rows: expires jobs, removes their files and deletes their rows. The row changes before its file
/// is removed, so that no row names a missing file.
package struct Retention: Service {
    /// Signalled by ``Worker`` when something is due.
    package let wakeSignal = WakeSignal()
    private let database: JobDatabase
    private let disk: ArchiveDisk
    private let check: StoreCheck
    private let history: Duration
    private let logger: Logger
    private let reported = Reported()
    private static let orphanInterval: Duration = .seconds(60)

    /// The maintenance of an installation.
    ///
    /// - Parameter history: how long the row of a finished job is kept.
    package init(database: JobDatabase, disk: ArchiveDisk, history: Duration, logger: Logger) {
        self.database = database
        self.disk = disk
        self.history = history
        self.logger = logger
        check = StoreCheck(database: database, disk: disk)
    }

    /// What one sweep did.
    package struct Swept: Sendable, Equatable {
        /// Jobs whose workbook expired.
        package var expired = 0
        /// Expired files that were removed.
        package var removed = 0
        /// Rows of jobs that were deleted.
        package var forgotten = 0
        /// Files of expired jobs that could not be removed.
        package var stuck = 0

        /// A sweep that did nothing.
        package init() {}

        /// Whether another sweep may find more.
        package var hasProgress: Bool { expired > 0 || removed > 0 || forgotten > 0 }

        /// Adds the counts of another sweep; `stuck` is that of the later one.
        package static func += (left: inout Self, right: Self) {
            left.expired += right.expired
            left.removed += right.removed
            left.forgotten += right.forgotten
            left.stuck = right.stuck
        }
    }

    /// Sweeps when a worker signals, and looks for orphans every minute, until the service stops.
    package func run() async throws {
        var backoff = Backoff(cap: .seconds(30))
        var nextOrphans = ContinuousClock.now
        // The worker that polls the queue signals for as long as something is due.
        var isDue = true
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                var swept = isDue ? try await sweep() : Swept()
                while swept.hasProgress, !Task.isShuttingDownGracefully { swept = try await sweep() }
                if ContinuousClock.now >= nextOrphans {
                    nextOrphans = .now + Self.orphanInterval
                    try await database.statement { try await Self.endHolds(on: $0) }
                    _ = try await sweepOrphans()
                }
                if swept.stuck > 0 {
                    logger.report(ExportEvent.archivesNotRemoved, [.files: swept.stuck])
                    isDue = true
                    await pause(backoff.next())
                } else {
                    backoff.reset()
                    isDue = await wakeSignal.wait(for: Self.orphanInterval)
                }
            } catch {
                isDue = true
                logger.report(ExportEvent.sweepFailed, [.error: error])
                await pause(backoff.next())
            }
        }
    }

    /// Sleeps, and ignores signals, so that a failed operation is not repeated without a pause.
    private func pause(_ time: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: time) }
    }

    /// Expires jobs that are due, removes the files of expired jobs, and deletes the rows of jobs that ended long ago. It
    /// changes some hundred rows at a time.
    package func sweep() async throws -> Swept {
        try await check.verify()
        var swept = Swept()
        swept.expired = try await database.statement { try await Self.expire(on: $0) }
        var last: String?
        while true {
            let files = try await database.statement { [last] in try await Self.expired(after: last, on: $0) }
            guard let final = files.last else { break }
            for file in files {
                if await remove(file) { swept.removed += 1 } else { swept.stuck += 1 }
            }
            last = final.job
        }
        swept.forgotten = try await database.statement { try await Self.forget(olderThan: history, on: $0) }
        return swept
    }

    /// Removes files that no row names.
    ///
    /// - Returns: the number of files removed.
    package func sweepOrphans() async throws -> Int {
        try await check.verify()
        let found = try await OrphanSweep(database: database, disk: disk).run()
        if found.removed > 0 { logger.report(ExportEvent.orphansRemoved, [.files: found.removed]) }
        let news = reported.news(strays: found.strays, stuck: found.stuck)
        if news.stuck { logger.report(ExportEvent.orphansNotRemoved, [.files: found.stuck]) }
        if news.strays, found.strays.count > 0 {
            logger.report(ExportEvent.foreignEntries, [.files: found.strays.count])
        }
        if news.strays, found.strays.unreadable > 0 {
            logger.report(ExportEvent.directoriesUnreadable, [.directories: found.strays.unreadable])
        }
        return found.removed
    }

    /// What the last sweep logged. The next sweep, a minute later, does not log the same again.
    private final class Reported: Sendable {
        private let last = Mutex((strays: StoreWalk.Strays(), stuck: 0))

        func news(strays: StoreWalk.Strays, stuck: Int) -> (strays: Bool, stuck: Bool) {
            last.withLock { last in
                defer { last = (strays, stuck) }
                return (strays != last.strays, stuck > 0 && stuck != last.stuck)
            }
        }
    }

    /// Removes a file. Logs an error and continues, so that one file does not prevent the removal of others.
    private func remove(_ file: ExpiredFile) async -> Bool {
        do {
            try await disk.remove(file.name)
            try await database.statement { try await Self.forget(file, on: $0) }
            logger.report(ExportEvent.archiveRemoved, [.job: file.job])
            return true
        } catch {
            logger.report(ExportEvent.archiveNotRemoved, [.job: file.job, .error: error])
            return false
        }
    }

    struct ExpiredFile: Sendable {
        let job: String
        let epoch: Int
        let name: ArchiveName
    }

    static func expire(on connection: isolated PostgresConnection) async throws -> Int {
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
                INSERT INTO adminexport.audit_event (event, job, tenant_key, tenant_slug, actor_key, actor_email)
                SELECT 'expired', id, tenant_key, tenant_slug, actor_key, actor_email FROM changed RETURNING 1 AS one
                """)
        ).count
    }

    /// Ends the holds whose time is over, a hundred at a time. Uses the index `job_held`.
    static func endHolds(on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "end-holds",
                """
                WITH due AS MATERIALIZED (
                    SELECT id FROM adminexport.job WHERE hold AND hold_until < now() LIMIT 100 FOR UPDATE SKIP LOCKED
                ), ended AS (
                    UPDATE adminexport.job j SET hold = false, hold_since = NULL, hold_uid = NULL, hold_reason = NULL,
                        hold_until = NULL, revision = j.revision + 1
                    FROM due WHERE j.id = due.id AND j.hold RETURNING j.*
                )
                INSERT INTO adminexport.audit_event (event, job, tenant_key, tenant_slug, actor_key, actor_email, reason)
                SELECT 'held', id, tenant_key, tenant_slug, actor_key, actor_email, 'off' FROM ended
                """))
    }

    /// Uses the index on `id` of files to remove.
    static func expired(
        after last: String?, on connection: isolated PostgresConnection
    ) async throws -> [ExpiredFile] {
        let further = last == nil ? "" : " AND id > $1::uuid"
        let rows = try await connection.query(
            Query(
                "files-to-remove",
                """
                SELECT id, archive_epoch, tenant_slug, extract(year FROM created_at AT TIME ZONE 'UTC')::int AS year,
                    extract(month FROM created_at AT TIME ZONE 'UTC')::int AS month
                FROM adminexport.job
                WHERE state = 'expired' AND archive_epoch IS NOT NULL\(further)
                ORDER BY id LIMIT 100
                """, last.map { [.text($0)] } ?? []))
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
    ) async throws -> Int {
        try await connection.query(
            Query(
                "forget-jobs",
                """
                DELETE FROM adminexport.job WHERE id IN (
                    SELECT id FROM adminexport.job
                    WHERE state IN ('failed', 'cancelled', 'expired') AND archive_epoch IS NULL AND NOT hold
                        AND finished_at < now() - $1::interval
                    ORDER BY finished_at LIMIT 100 FOR UPDATE SKIP LOCKED)
                RETURNING 1 AS one
                """, [.interval(history)])
        ).count
    }

    static func forget(_ file: ExpiredFile, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query(
                "file-removed",
                """
                UPDATE adminexport.job SET archive_epoch = NULL
                WHERE id = $1::uuid AND state = 'expired' AND archive_epoch = $2::int
                """, [.text(file.job), .integer(file.epoch)]))
    }
}

/// Removes files that no row will ever name, such as those that a crash left.
///
/// A file is an orphan if its job does not exist, if its epoch is not the job's current one, or if the job is final and does
/// not name that epoch. Age is not a criterion, because a running job of any duration keeps the file of its current epoch.
private struct OrphanSweep: Sendable {
    private static let batch = 500

    let database: JobDatabase
    let disk: ArchiveDisk

    /// What a sweep found.
    struct Findings {
        var removed = 0
        /// Orphans that could not be removed.
        var stuck = 0
        var strays = StoreWalk.Strays()
    }

    /// Works in batches, in memory that does not depend on the number of files.
    func run() async throws -> Findings {
        var findings = Findings()
        let walk = try await disk.walk()
        while case .files(let batch) = try await disk.step(of: walk, files: Self.batch) {
            guard !batch.isEmpty else { continue }
            for orphan in try await orphans(among: batch) {
                // A file that cannot be removed does not prevent the removal of others.
                if await disk.remove(quietly: orphan) { findings.removed += 1 } else { findings.stuck += 1 }
            }
        }
        findings.strays = walk.strays
        return findings
    }

    private func orphans(among files: [StoredFile]) async throws -> [StoredFile] {
        let rows = try await database.statement { connection in
            try await connection.query(
                Query(
                    "orphans",
                    """
                    SELECT f.place - 1 AS place
                    FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS f (job, epoch, place)
                    LEFT JOIN adminexport.job j ON j.id = f.job
                    WHERE j.id IS NULL
                        OR j.archive_epoch IS DISTINCT FROM f.epoch
                            AND (f.epoch <> j.epoch OR j.state IN ('succeeded', 'failed', 'cancelled', 'expired'))
                    """, [.texts(files.map(\.job)), .texts(files.map { "\($0.epoch)" })]))
        }
        return try rows.map { files[try $0.decode("place")] }
    }
}
