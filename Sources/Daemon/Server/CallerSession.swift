internal import AdminExportAPI
private import Directory
internal import Exports
internal import JSONRPC
internal import Sockets
internal import Synchronization

/// The state of one connection: the process that calls, what it is granted, and what it has read.
final class CallerSession: Sendable {
    /// Tells this connection from others; from 1.
    let number: Int
    let peer: PeerCredentials
    let grants: CallerGrants
    /// Those that this connection was begun with.
    let limits: ServiceLimits
    /// The last answer to `service.info`. Only its limits can change during the connection.
    let info = Mutex<(limits: ServiceLimits, json: [UInt8])?>(nil)
    /// The jobs that this connection has read last: the audit trail names each once. Past ``maxDownloads`` the oldest is
    /// forgotten, and named again where it is read again.
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

    /// A request in an administrator's name.
    ///
    /// - Throws: ``RPCError`` 1001 where the peer may certainly not act for the tenant; else the directory says it.
    func actorRequest(_ actor: ActorName) throws(RPCError) -> ActorRequest {
        guard let grant = grants[.export], grant.mayCover(slug: actor.tenant) else {
            throw denial(Grant.export.rawValue, actor.tenant)
        }
        return ActorRequest(tenant: actor.tenant, email: actor.administrator, grant: grant, peer: callingProcess)
    }

    /// A request in an administrator's name, or as an operator where no actor is named.
    ///
    /// - Parameter tenant: the one that an operator asks about; nil for all that they may.
    func requester(_ actor: ActorName?, tenant: String? = nil) throws(RPCError) -> Requester {
        if let actor { return .actor(try actorRequest(actor)) }
        guard grants[.operator] != nil else {
            // A parameter that is missing, and a grant that is: the audit trail has it as a denial.
            throw .invalidParams(
                "actor", "The parameter actor is missing; only a caller with the grant operator may omit it. \(whoami)",
                details: Self.lack(of: Grant.operator.rawValue))
        }
        return try asOperator(of: tenant)
    }

    /// The caller as one who looks after the service as a whole.
    ///
    /// - Throws: ``RPCError`` 1001 where the peer is no operator of all tenants.
    func operatorOfAll() throws(RPCError) -> CallingProcess {
        guard grants[.operator]?.tenants == .all else { throw denial(Grant.operator.rawValue, "*") }
        return callingProcess
    }

    /// The caller as an operator.
    ///
    /// - Parameter tenant: the one that is asked about; nil for all that they may look after.
    /// - Throws: ``RPCError`` 1001 where the peer is no operator, or certainly not of the tenant; else the directory says it.
    func asOperator(of tenant: String? = nil) throws(RPCError) -> Requester {
        guard let grant = grants[.operator], tenant.map(grant.mayCover) ?? true else {
            throw denial(Grant.operator.rawValue, tenant ?? "*")
        }
        return .operator(callingProcess, grant, tenant: tenant)
    }

    /// - Parameters:
    ///   - grant: what the caller would need.
    ///   - tenant: a slug, or `*`.
    func denial(_ grant: String, _ tenant: String) -> RPCError {
        let remedy =
            peer.uid == PeerCredentials.overflowID
            ? "A user namespace hides your user id, so the service cannot identify you. Call it from outside the namespace."
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

    /// Whether this is the connection's first read of the job. Taken back by ``forgetRead(of:)`` where it fails.
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
