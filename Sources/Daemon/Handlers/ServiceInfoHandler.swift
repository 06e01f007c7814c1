internal import ExportAPI
internal import JSONRPC
private import Sockets
private import Synchronization

struct ServiceInfoHandler: MethodHandler {
    typealias Called = ServiceInfo
    static let traits: MethodTraits = .control

    let limits: ServiceInfo.Limits

    func outcome(_ params: NoMembers, _ session: Session, _ subscriptions: Subscriptions) async throws -> ServiceOutcome {
        if let known = session.info.withLock({ $0 }) { return Outcome(known) }
        let json = try WireCoding.encode(info(session))
        session.info.withLock { $0 = json }
        return Outcome(json)
    }

    private func info(_ session: Session) -> ServiceInfo.Result {
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
