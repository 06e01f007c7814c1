internal import ExportAPI
internal import Exports
private import Foundation
internal import Jobs
internal import JSONRPC

struct ExportReadHandler: ResultHandler {
    typealias Called = ExportRead
    static let traits: MethodTraits = [.long, .large]

    let exports: ExportService
    let metrics: ServerMetrics

    func handle(_ params: ExportRead.Params, _ session: Session) async throws -> ExportRead.Result {
        let caller = try session.caller(params.actor)
        let job = try JobID(param: params.job)
        let isFirst = session.isFirstRead(of: job)
        let part: ExportService.Part
        do {
            part = try await exports.read(caller, job: job, offset: params.offset, length: params.length, isFirst: isFirst)
        } catch {
            if isFirst { session.forgetRead(of: job) }
            throw error
        }
        metrics.sent(part.bytes.count)
        return ExportRead.Result(
            offset: params.offset, data: Data(part.bytes).base64EncodedString(), size: part.size,
            eof: params.offset + part.bytes.count >= part.size)
    }
}
