internal import ExportAPI
internal import JSONRPC
private import Sockets
private import Synchronization

struct ServiceInfoHandler: MethodHandler {
    typealias Called = ServiceInfo
    static let traits: MethodTraits = .control

    let settings: LiveSettings

    func outcome(_ params: NoMembers, _ session: Session, _ subscriptions: Subscriptions) async throws -> ServiceOutcome {
        let limits = settings.limits
        if let known = session.info.withLock({ $0 }), known.limits == limits { return Outcome(known.json) }
        let json = try WireCoding.encode(info(session, limits))
        session.info.withLock { $0 = (limits, json) }
        return Outcome(json)
    }

    private func info(_ session: Session, _ limits: ServiceInfo.Limits) -> ServiceInfo.Result {
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
