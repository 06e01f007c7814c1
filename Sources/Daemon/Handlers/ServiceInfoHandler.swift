internal import ExportAPI
private import Sockets

struct ServiceInfoHandler: MethodHandler {
    typealias Called = ServiceInfo
    static let isControl = true

    let limits: ServiceInfo.Limits

    func handle(_ params: NoParams, _ session: Session) async throws -> ServiceInfo.Result {
        ServiceInfo.Result(
            name: "adminexport", version: AdminExportDaemon.version, protocolVersion: 1, limits: limits,
            capabilities: ["cancel-request", "half-close", "batch"],
            caller: ServiceInfo.Caller(
                uid: Int(session.peer.uid), gid: Int(session.peer.gid), grants: session.rights.grants.map(\.rawValue),
                tenants: session.rights.tenants))
    }
}
