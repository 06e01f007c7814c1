internal import Archive
private import Postgres

/// Removes files that no row will ever name: what a crash left.
///
/// A file is an orphan if its job does not exist, if its epoch is not the job's current one, or if the job is over and
/// does not name that epoch. Age alone makes no orphan: the epoch of a running job is its own however long it takes.
struct OrphanSweep: Sendable {
    private static let batch = 500

    let database: JobDatabase
    let disk: ArchiveDisk

    /// What a sweep has found.
    struct Outcome: Sendable {
        var removed = 0
        /// Orphans that could not be removed.
        var stuck = 0
        var strays = StoreWalk.Strays()
    }

    /// Some files at a time, in memory that does not depend on how many there are.
    func run() async throws -> Outcome {
        var outcome = Outcome()
        let walk = try await disk.walk()
        while case .files(let batch) = try await disk.step(of: walk, files: Self.batch) {
            guard !batch.isEmpty else { continue }
            for orphan in try await orphans(among: batch) {
                // One that stays must not keep the others.
                if await disk.remove(quietly: orphan) { outcome.removed += 1 } else { outcome.stuck += 1 }
            }
        }
        outcome.strays = walk.strays
        return outcome
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
