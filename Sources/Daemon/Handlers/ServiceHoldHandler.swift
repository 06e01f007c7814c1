internal import AdminExportAPI
internal import Exports

struct ServiceHoldHandler: ResultHandler {
    typealias Called = ServiceHold

    let exports: ExportService

    func handle(_ params: ServiceHold.Params, _ session: CallerSession) async throws -> ServiceHold.Result {
        let job = try await exports.hold(session.asOperator(), job: JobID(param: params.job), params.on)
        return ServiceHold.Result(job: try AdminExportAPI.Job(job), held: job.isHeld)
    }
}
