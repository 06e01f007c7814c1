package import Directory

/// A request of a process in the name of an administrator.
package struct ActorRequest: Sendable {
    /// The slug of the administrator's tenant, as the caller sent it.
    package let tenant: String
    /// The administrator's e-mail address, as the caller sent it.
    package let email: String
    /// The tenants in whose administrators' names the process may act.
    package let grant: TenantGrant
    /// The process that calls.
    package let peer: CallingProcess

    /// A request in the name of an administrator. Nothing is checked here.
    package init(tenant: String, email: String, grant: TenantGrant, peer: CallingProcess) {
        self.tenant = tenant
        self.email = email
        self.grant = grant
        self.peer = peer
    }

    var reference: ActorReference { .labels(tenant: tenant, email: email, within: grant) }
}

/// Who requests jobs or events.
package enum Requester: Sendable {
    /// An administrator, for their own jobs.
    case actor(ActorRequest)
    /// An operator, for all jobs and events of the tenants of a grant.
    ///
    /// - Parameter tenant: the slug of one tenant; nil for all tenants of the grant.
    case `operator`(CallingProcess, TenantGrant, tenant: String?)

    var peer: CallingProcess {
        switch self {
        case .actor(let actor): actor.peer
        case .operator(let peer, _, _): peer
        }
    }
}
