internal import AdminExportAPI
internal import Exports

struct ServicePauseHandler: ResultHandler {
    typealias Called = ServicePause

    let exports: ExportService

    func handle(_ params: NoMembers, _ session: CallerSession) async throws -> NoMembers {
        try await exports.pause(true, peer: session.operatorOfAll())
        return NoMembers()
    }
}
