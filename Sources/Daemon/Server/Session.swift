internal import ExportAPI
internal import Exports
internal import Jobs
internal import JSONRPC
internal import Sockets
private import Synchronization

/// One connection's peer, what they may, and what the connection has to remember.
final class Session: Sendable {
    let peer: PeerIdentity
    let rights: CallerPolicy.Rights
    /// Jobs that this connection has read from: the audit trail names each once.
    private let downloads = Mutex(Set<JobID>())

    init(peer: PeerIdentity, rights: CallerPolicy.Rights) {
        self.peer = peer
        self.rights = rights
    }

    var auditedPeer: Peer {
        Peer(uid: Int(peer.uid), gid: Int(peer.gid), pid: Int(peer.pid))
    }

    /// The caller as an administrator's agent.
    ///
    /// - Throws: ``RPCError`` 1001 where the peer may not act for the tenant.
    func caller(_ actor: Actor) throws(RPCError) -> ExportService.Caller {
        try TextParam.check(actor.tenant, "actor.tenant", longest: 320)
        try TextParam.check(actor.administrator, "actor.administrator", longest: 320)
        guard rights.allow(.export, tenant: actor.tenant) else { throw Self.notAllowed }
        return ExportService.Caller(tenant: actor.tenant, email: actor.administrator, peer: auditedPeer)
    }

    /// The caller as an administrator's agent, or as an operator where no actor is named.
    func asker(_ actor: Actor?, tenant: String? = nil) throws(RPCError) -> ExportService.Asker {
        if let actor { return .actor(try caller(actor)) }
        guard rights.grants.contains(.operator) else {
            throw .invalidParams("actor", "actor is missing: only a caller with the operator grant may leave it out.")
        }
        guard rights.allow(.operator, tenant: tenant) else { throw Self.notAllowed }
        return .operator(auditedPeer)
    }

    /// Whether this is the connection's first read of the job. Taken back by ``forgetRead(of:)`` where it fails.
    func isFirstRead(of job: JobID) -> Bool {
        downloads.withLock { $0.insert(job).inserted }
    }

    func forgetRead(of job: JobID) {
        downloads.withLock { _ = $0.remove(job) }
    }

    private static let notAllowed = RPCError(
        ErrorCode.permissionDenied, ErrorKind.permissionDenied,
        "This user may not act for the tenant: ask the operators to add it to callers.",
        details: [("reason", .text("caller-not-allowed"))])
}
