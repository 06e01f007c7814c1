public import AdminExportAPI
private import Foundation

extension Client {
    /// How often in a row ``finish(_:job:_:)`` asks again, a second apart, while the service has no database.
    private static let patience = 120

    /// Waits until a job is final. A service that is without its database meanwhile is asked again, for two minutes.
    ///
    /// - Parameters:
    ///   - actor: who asked for it; nil for an operator.
    ///   - change: called with the job as it stands now and at each change.
    public func finish(
        _ actor: ActorName?, job id: String, _ change: (Job) -> Void = { _ in }
    ) async throws -> Job {
        var known: Job?
        var patience = Self.patience
        while true {
            do {
                let job = try await next(actor, job: id, after: known)
                change(job)
                if job.state.isFinal { return job }
                known = job
                patience = Self.patience
            } catch let error as ClientError where error.kind == ErrorKind.unavailable.rawValue && patience > 0 {
                // The database is away for a moment; the export waits for it too.
                patience -= 1
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// The job as it stands, or, where it is known, at its next change.
    private func next(_ actor: ActorName?, job id: String, after known: Job?) async throws -> Job {
        guard let known else { return try await call(ExportGet.self, .init(actor: actor, job: id)).job }
        return try await call(
            ExportWait.self, .init(actor: actor, job: id, afterRevision: known.revision, timeoutMs: 20_000),
            timeout: .seconds(40)
        ).job
    }
}
