internal import AdminExportAPI
internal import Directory
internal import Evidence
internal import Exports
internal import JSONRPC
internal import Sockets
internal import Synchronization

/// The state of one connection: the calling process, its grants, and the jobs that it has read.
final class CallerSession: Sendable {
    /// The number of the connection, counted from 1.
    let number: Int
    let peer: PeerCredentials
    let grants: CallerGrants
    /// The limits at the start of the connection.
    let limits: ServiceLimits
    /// The last answer to `service.info`. Only these members can change during the connection.
    let info = Mutex<
        (limits: ServiceLimits, otherGroups: OtherGroups, about: Bool, keys: [VerificationKey], json: [UInt8])?
    >(nil)
    /// The jobs that this connection has read last. The audit trail gets one event for each. Beyond ``maxDownloads``, the
    /// oldest is removed, and a further read of it is a new event.
    private let downloads = Mutex<[JobID]>([])
    private static let maxDownloads = 64

    init(number: Int, peer: PeerCredentials, grants: CallerGrants, limits: ServiceLimits) {
        self.number = number
        self.peer = peer
        self.grants = grants
        self.limits = limits
    }

    var callingProcess: CallingProcess {
        CallingProcess(uid: Int(peer.uid), gid: Int(peer.gid), pid: Int(peer.pid))
    }

    /// A request in the name of an administrator.
    ///
    /// - Throws: ``RPCError`` 1001 if the grant rules out the tenant. Otherwise the service checks the grant in the directory.
    func actorRequest(_ actor: ActorName) throws(RPCError) -> ActorRequest {
        guard let grant = grants[.export], grant.mayCover(slug: actor.tenant) else {
            throw denial(Grant.export.rawValue, actor.tenant)
        }
        return ActorRequest(tenant: actor.tenant, email: actor.administrator, grant: grant, peer: callingProcess)
    }

    /// A request in the name of an administrator, or as an operator if there is no actor.
    ///
    /// - Parameter tenant: the tenant of an operator's request; nil for all tenants of the grant.
    func requester(_ actor: ActorName?, tenant: String? = nil) throws(RPCError) -> Requester {
        if let actor { return .actor(try actorRequest(actor)) }
        guard grants[.operator] != nil else {
            // The caller lacks both the parameter and the grant. The details make it a denial in the audit trail.
            throw .invalidParams(
                "actor", "The parameter actor is missing, and only a caller with the operator grant may omit it. \(whoami)",
                details: Self.lack(of: Grant.operator.rawValue))
        }
        return try asOperator(of: tenant)
    }

    /// The caller as an operator of the whole service.
    ///
    /// - Throws: ``RPCError`` 1001 if the peer is not an operator of all tenants.
    func operatorOfAll() throws(RPCError) -> CallingProcess {
        guard grants[.operator]?.tenants == .all else { throw denial(Grant.operator.rawValue, "*") }
        return callingProcess
    }

    /// The caller as an operator.
    ///
    /// - Parameter tenant: the tenant of the request; nil for all tenants of the grant.
    /// - Throws: ``RPCError`` 1001 if the peer is not an operator, or the grant rules out the tenant. Otherwise the service
    ///   checks the grant in the directory.
    func asOperator(of tenant: String? = nil) throws(RPCError) -> Requester {
        guard let grant = grants[.operator], tenant.map(grant.mayCover) ?? true else {
            throw denial(Grant.operator.rawValue, tenant ?? "*")
        }
        return .operator(callingProcess, grant, tenant: tenant)
    }

    /// - Parameters:
    ///   - grant: the grant that the caller needs.
    ///   - tenant: a slug, or `*` for all tenants.
    func denial(_ grant: String, _ tenant: String) -> RPCError {
        let remedy =
            peer.uid == PeerCredentials.overflowID
            ? "The service cannot identify you, because a user namespace hides your user id. Call from outside the namespace."
            : "Ask the operators of adminexport to add you or one of your groups to callers in the configuration."
        let whom = tenant == "*" ? "the service as a whole" : "the tenant \(RPCError.excerpt(tenant))"
        return RPCError(
            .permissionDenied,
            "You may not act for \(whom): this requires the grant \(grant)\(tenant == "*" ? " for all tenants (\"*\")" : ""). \(whoami) \(remedy)",
            details: Self.lack(of: grant))
    }

    private static func lack(of grant: String) -> [(name: String, value: RPCError.Detail)] {
        [("reason", .text(RPCError.callerNotAllowed)), ("grant", .text(grant))]
    }

    private var whoami: String {
        let groups = peer.groups.sorted()
        let shown = groups.prefix(32).map { "\($0)" }.joined(separator: ", ") + (groups.count > 32 ? ", …" : "")
        return "You are the user with uid \(peer.uid), in the groups with gid \(shown)."
    }

    /// Records a read of the job. If the read fails, ``forgetRead(of:)`` removes the record.
    ///
    /// - Returns: whether this is the connection's first read of the job.
    func isFirstRead(of job: JobID) -> Bool {
        downloads.withLock { jobs in
            guard !jobs.contains(job) else { return false }
            if jobs.count == Self.maxDownloads { jobs.removeFirst() }
            jobs.append(job)
            return true
        }
    }

    func forgetRead(of job: JobID) {
        downloads.withLock { jobs in jobs.removeAll { $0 == job } }
    }
}
