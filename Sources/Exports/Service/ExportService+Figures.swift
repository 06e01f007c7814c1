private import Directory
private import Postgres

/// Figures for those who watch over the service.
extension ExportService {
    /// What the database knows.
    package struct QueueFigures: Sendable {
        package let depth: QueueControl.Depth
        /// Of all workers that there are and have been; see ``WorkerCounters``.
        package let counters: [String: Int]
        package let facts: StoreFacts
    }

    /// - Throws: faults of the jobs' database; also while it has not been held to what this process needs yet.
    package func queueFigures() async throws -> QueueFigures {
        try directory.checkJobs()
        return try await transaction { connection in
            QueueFigures(
                depth: try await QueueControl().depth(on: connection),
                counters: try await QueueControl().counters(on: connection), facts: try await StoreFacts.load(on: connection)
            )
        }
    }

    /// What keeps the directory from answering; nil where it does.
    package func directoryFault() async -> String? {
        await directory.isAnswering() ? nil : "the database with the directory cannot be reached"
    }

    /// What the archives' disk tells.
    package struct DiskFigures: Sendable {
        /// Bytes that may still be written, and those of the file system; nil where the disk does not answer.
        package var space: (free: Int, size: Int)?
        /// Whether it is the one of this database, or may become it; nil where nothing is known of the database's.
        package var isOurs: Bool?
        /// Operations that do not come back.
        package var stuck = 0
    }

    package func diskFigures(_ facts: StoreFacts?) async -> DiskFigures {
        var figures = DiskFigures(space: await space(), stuck: stuckFileOperations)
        guard let facts else { return figures }
        let isWell = (try? await storageFault(facts) == nil) ?? false
        figures.isOurs = figures.space != nil && isWell
        return figures
    }

    /// nil where the disk does not answer.
    package func space() async -> (free: Int, size: Int)? {
        try? await spaceCheck.run(timeout: .seconds(3)) { [disk] in try await disk.space() }
    }
}
