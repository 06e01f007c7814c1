internal import AdminExportAPI
internal import Exports
private import Foundation
internal import JSONRPC

struct ExportReadHandler: MethodHandler {
    typealias Called = ExportRead
    static let traits: MethodTraits = [.long, .large]

    let exports: ExportService
    let metrics: ServerMetrics

    func outcome(
        _ params: ExportRead.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome {
        let caller = try session.actorRequest(params.actor)
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
        let result = ExportRead.Result(
            offset: params.offset, data: Data(part.bytes).base64EncodedString(), size: part.size,
            eof: params.offset + part.bytes.count >= part.size)
        return Outcome(try WireCoding.encode(result)) { [delivery = part.delivery] isSent in
            if !isSent { delivery?.failed(.notSent) }
        }
    }
}
