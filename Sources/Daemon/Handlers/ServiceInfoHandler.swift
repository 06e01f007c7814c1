internal import AdminExportAPI
private import Directory
internal import JSONRPC
private import Sockets
private import Synchronization

struct ServiceInfoHandler: MethodHandler {
    typealias Called = ServiceInfo
    static let traits: MethodTraits = .control

    let settings: LiveSettings

    func outcome(_ params: NoMembers, _ session: CallerSession, _ subscriptions: Subscriptions) async throws
        -> ServiceOutcome
    {
        let limits = settings.limits.inForce(sinceBeginning: session.limits)
        if let known = session.info.withLock({ $0 }), known.limits == limits { return Outcome(known.json) }
        let json = try WireCoding.encode(info(session, limits))
        session.info.withLock { $0 = (limits, json) }
        return Outcome(json)
    }

    private func info(_ session: CallerSession, _ limits: ServiceLimits) -> ServiceInfo.Result {
        ServiceInfo.Result(
            name: "adminexport", version: AdminExportDaemon.version, protocolVersion: 1, limits: limits.wire,
            capabilities: Called.capabilities,
            caller: ServiceInfo.Caller(
                uid: Int(session.peer.uid), gid: Int(session.peer.gid), groups: session.peer.groups.sorted().map { Int($0) },
                grants: Grant.allCases.compactMap { grant in
                    session.grants[grant].map { ServiceInfo.Caller.Grant($0) }
                }))
    }
}

extension ServiceInfo.Caller.Grant {
    fileprivate init(_ grant: TenantGrant) {
        var (slugs, keys): ([String], [String]) = ([], [])
        switch grant.tenants {
        case .all: slugs = ["*"]
        case .some(let names):
            for name in names {
                switch name {
                case .slug(let slug): slugs.append(slug)
                case .key(let key): keys.append(key)
                }
            }
        }
        self.init(grant: grant.name, tenants: slugs.sorted(), keys: keys.isEmpty ? nil : keys.sorted())
    }
}
