internal import Archive
internal import Jobs
private import Postgres

/// Removes files that no row will ever name: what a crash left.
///
/// A file is an orphan if its job does not exist, if its epoch is not the job's current one, or if the job is over and
/// does not name that epoch. Age alone makes no orphan: the epoch of a running job is its own however long it takes.
struct OrphanSweep: Sendable {
    private static let batch = 500

    let database: JobDatabase
    let disk: ArchiveDisk

    /// - Returns: how many files were removed, and how many could not be.
    func run() async throws -> (removed: Int, stuck: Int) {
        var (removed, stuck) = (0, 0)
        for files in try await disk.files() {
            for start in stride(from: 0, to: files.count, by: Self.batch) {
                let batch = Array(files[start..<min(files.count, start + Self.batch)])
                for orphan in try await orphans(among: batch) {
                    // One that stays must not keep the others.
                    if await disk.remove(quietly: orphan) { removed += 1 } else { stuck += 1 }
                }
            }
        }
        return (removed, stuck)
    }

    private func orphans(among files: [StoredFile]) async throws -> [StoredFile] {
        // What does not even look like an id is nobody's job, and compares as text.
        let rows = try await database.statement { connection in
            try await connection.query(
                Query(
                    "orphans",
                    """
                    SELECT f.place - 1 AS place
                    FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS f (job, epoch, place)
                    LEFT JOIN adminexport.job j ON j.id = CASE WHEN f.job ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                                              THEN f.job::uuid END
                    WHERE j.id IS NULL
                        OR j.archive_epoch IS DISTINCT FROM f.epoch
                            AND (f.epoch <> j.epoch OR j.state IN ('succeeded', 'failed', 'cancelled', 'expired'))
                    """, [.texts(files.map(\.job)), .texts(files.map { "\($0.epoch)" })]))
        }
        return try rows.map { files[try $0.decode("place")] }
    }
}
