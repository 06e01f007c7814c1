internal import ExportAPI
internal import JSONRPC
private import Sockets

struct ServiceInfoHandler: ResultHandler {
    typealias Called = ServiceInfo
    static let traits: MethodTraits = .control

    let limits: ServiceInfo.Limits

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceInfo.Result {
        ServiceInfo.Result(
            name: "adminexport", version: AdminExportDaemon.version, protocolVersion: 1, limits: limits,
            capabilities: Called.capabilities,
            caller: ServiceInfo.Caller(
                uid: Int(session.peer.uid), gid: Int(session.peer.gid), groups: session.peer.groups.sorted().map { Int($0) },
                grants: Grant.allCases.compactMap { grant in
                    session.rights.tenants(grant).map { ServiceInfo.Caller.Grant(grant: grant.rawValue, tenants: $0) }
                }))
    }
}
