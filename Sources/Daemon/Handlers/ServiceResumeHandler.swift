internal import AdminExportAPI
internal import Exports

struct ServiceResumeHandler: ResultHandler {
    typealias Called = ServiceResume

    let exports: ExportService

    func handle(_ params: NoMembers, _ session: CallerSession) async throws -> NoMembers {
        try await exports.pause(false, peer: session.operatorOfAll())
        return NoMembers()
    }
}
