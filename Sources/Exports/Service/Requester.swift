package import Directory

/// A request in an administrator's name, made by a process.
package struct ActorRequest: Sendable {
    package let tenant: String
    package let email: String
    /// The tenants for which the process may act.
    package let grant: TenantGrant
    package let peer: CallingProcess

    package init(tenant: String, email: String, grant: TenantGrant, peer: CallingProcess) {
        self.tenant = tenant
        self.email = email
        self.grant = grant
        self.peer = peer
    }

    var reference: ActorReference { .labels(tenant: tenant, email: email, within: grant) }
}

/// Who asks for jobs or events: an administrator, for their own, or an operator.
package enum Requester: Sendable {
    case actor(ActorRequest)
    /// An operator, for everything of the tenants of a grant.
    ///
    /// - Parameter tenant: the slug of the only tenant that is asked about; nil for all tenants of the grant.
    case `operator`(CallingProcess, TenantGrant, tenant: String?)

    var peer: CallingProcess {
        switch self {
        case .actor(let actor): actor.peer
        case .operator(let peer, _, _): peer
        }
    }
}
