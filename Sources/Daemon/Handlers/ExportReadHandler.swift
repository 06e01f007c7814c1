internal import ExportAPI
internal import Exports
private import Foundation
internal import Jobs
internal import JSONRPC

struct ExportReadHandler: MethodHandler {
    typealias Called = ExportRead
    static let isLong = true
    static let isLarge = true

    let exports: ExportService

    func handle(_ params: ExportRead.Params, _ session: Session) async throws -> ExportRead.Result {
        guard (0...9_007_199_254_740_991).contains(params.offset) else {
            throw RPCError.invalidParams("offset", "offset is 0 or more, and below 2^53.")
        }
        guard (1...ExportRead.longest).contains(params.length) else {
            throw RPCError.invalidParams("length", "length is 1 to \(ExportRead.longest).")
        }
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
        return ExportRead.Result(
            offset: params.offset, data: Data(part.bytes).base64EncodedString(), size: part.size,
            eof: params.offset + part.bytes.count >= part.size)
    }
}
