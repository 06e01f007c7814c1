private import Directory
private import Postgres

/// Figures for monitoring: health, metrics and statistics.
extension ExportService {
    /// The figures from the database.
    package struct QueueFigures: Sendable {
        /// Jobs and workers.
        package let depth: QueueControl.Depth
        /// The counters of all present and past workers, by name; see ``WorkerCounters``.
        package let counters: [String: Int]
        /// The id of the archives' directory.
        package let facts: StoreFacts
    }

    /// Reads the figures in one transaction.
    ///
    /// - Throws: ``PostgresError``, also before the database has been reached for the first time.
    package func queueFigures() async throws -> QueueFigures {
        try directory.checkJobs()
        return try await transaction { connection in
            QueueFigures(
                depth: try await QueueControl().depth(on: connection),
                counters: try await QueueControl().counters(on: connection), facts: try await StoreFacts.load(on: connection)
            )
        }
    }

    /// The reason, for people, if the directory does not answer; nil if it answers.
    package func directoryFault() async -> String? {
        await directory.isAnswering() ? nil : "the database with the directory cannot be reached"
    }

    /// The figures of the archives' disk.
    package struct DiskFigures: Sendable {
        /// Bytes that can still be written, and the size of the file system in bytes; nil if the disk does not answer.
        package var space: (free: Int, size: Int)?
        /// Whether the directory is the one of this database, or can become it; nil if the database did not answer.
        package var isOurs: Bool?
        /// Operations that have not returned in time.
        package var stuck = 0
    }

    /// Reads the figures, in a few seconds at most.
    ///
    /// - Parameter facts: what the database knows about the directory of archives; nil if it did not answer.
    package func diskFigures(_ facts: StoreFacts?) async -> DiskFigures {
        var figures = DiskFigures(space: await space(), stuck: stuckFileOperations)
        guard let facts else { return figures }
        let isWell = (try? await storageFault(facts) == nil) ?? false
        figures.isOurs = figures.space != nil && isWell
        return figures
    }

    /// Bytes that can still be written, and the size of the file system in bytes; nil if the disk does not answer within three
    /// seconds.
    package func space() async -> (free: Int, size: Int)? {
        try? await spaceCheck.run(timeout: .seconds(3)) { [disk] in try await disk.space() }
    }
}
