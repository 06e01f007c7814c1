public import ExportAPI
public import Foundation

extension Client {
    /// Reads a finished workbook from its start to its end and hands its parts on in order.
    ///
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: Actor, job: String, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = 0
        while true {
            let part = try await call(
                ExportRead.self, .init(actor: actor, job: job, offset: offset, length: ExportRead.longest))
            guard let data = Data(base64Encoded: part.data), part.offset == offset, part.eof || !data.isEmpty else {
                throw ClientError(.protocolViolation, "the service sent a part that was not asked for")
            }
            try await body(data)
            offset += data.count
            if part.eof { return }
        }
    }

    /// Waits until a job is final.
    ///
    /// - Parameter change: called with the job as it stands now and at each change.
    public func finish(
        _ actor: Actor, job id: String, _ change: (Job) -> Void = { _ in }
    ) async throws -> Job {
        var job = try await call(ExportGet.self, .init(actor: actor, job: id)).job
        change(job)
        while !job.state.isFinal {
            job = try await call(
                ExportWait.self, .init(actor: actor, job: id, afterRevision: job.revision, timeoutMs: 20_000),
                timeout: .seconds(40)
            ).job
            change(job)
        }
        return job
    }
}
