public import AdminExportAPI
private import Foundation

extension Client {
    /// Watches a job.
    ///
    /// - Parameter actor: may be left out by a caller with the `operator` grant.
    /// - Returns: the job as it stands, and what it becomes, until it is final. Whoever reads the stream slowly gets the last
    ///   state only. The stream ends with a ``ClientError`` where the connection does; ending the stream ends the watch.
    public func watch(
        _ actor: ActorName?, job: String
    ) async throws -> (job: Job, changes: AsyncThrowingStream<Job, any Error>) {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: Job.self, bufferingPolicy: .bufferingNewest(1))
        let params = try JSONEncoder().encode(JobParams(actor: actor, job: job))
        // A watch whose asker has gone is one that the service still keeps.
        let late: @Sendable (Data) -> Void = { [weak self] json in
            guard let self, let result = try? JSONDecoder().decode(ExportWatch.Result.self, from: json) else { return }
            Task { _ = try? await self.call(ExportUnwatch.self, .init(subscription: result.subscription)) }
        }
        let json = try await call(ExportWatch.name, params: params, timeout: .seconds(30), late: late) {
            [weak self] json, _ in
            // Here, and not below: a notification may be the next thing that is read.
            guard let result = try? JSONDecoder().decode(ExportWatch.Result.self, from: json),
                !result.job.state.isFinal
            else { return continuation.finish() }
            self?.subscribe(result.subscription, continuation)
        }
        guard let result = try? JSONDecoder().decode(ExportWatch.Result.self, from: json) else {
            throw ClientError(
                .protocolViolation, "the service answered \(ExportWatch.name) with something else than a result")
        }
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason, let self else { return }
            unsubscribe(result.subscription)
            Task { _ = try? await self.call(ExportUnwatch.self, .init(subscription: result.subscription)) }
        }
        return (result.job, stream)
    }
}
