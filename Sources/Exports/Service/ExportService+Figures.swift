private import Archive
private import Directory
package import Jobs
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

    /// - Throws: faults of the database; also while it has not been held to what this process needs yet.
    package func queueFigures() async throws -> QueueFigures {
        _ = try contract.keys
        return try await transaction { connection in
            QueueFigures(
                depth: try await QueueControl().depth(on: connection),
                counters: try await QueueControl().counters(on: connection), facts: try await StoreFacts.load(on: connection)
            )
        }
    }

    /// What the archives' disk tells.
    package struct DiskFigures: Sendable {
        /// In bytes.
        package let free: Int
        package let size: Int
        /// Whether it is the one of this database, or may become it; nil where that was not asked.
        package let isOurs: Bool?
    }

    /// - Returns: nil where the disk does not answer, or nothing is known of what it should be.
    package func diskFigures(_ facts: StoreFacts?) async -> DiskFigures? {
        let asked: Void? = try? await diskQuestion.ask(atMost: .seconds(3)) { [disk, diskAnswer] in
            let space = try await disk.space()
            var isOurs = facts.map { _ in true }
            if let facts {
                do {
                    try await disk.verify(facts, mayCreate: false)
                } catch {
                    isOurs = (error as? ArchiveError)?.code == .wrongStore && facts.isNew
                }
            }
            await diskAnswer.set(DiskFigures(free: space.free, size: space.size, isOurs: isOurs))
        }
        return asked == nil ? nil : await diskAnswer.figures
    }

    /// Bytes that may still be written on the archives' disk; nil where it does not answer.
    package func freeBytes() async -> Int? {
        await diskFigures(nil)?.free
    }

    /// The last answer: several may wait for one.
    actor DiskAnswer {
        var figures: DiskFigures?

        func set(_ figures: DiskFigures) {
            self.figures = figures
        }
    }
}
