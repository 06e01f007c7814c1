package import Postgres

/// The process at the other end of the socket.
package struct Peer: Sendable, Hashable {
    package let uid: Int
    package let gid: Int
    package let pid: Int

    package init(uid: Int, gid: Int, pid: Int) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }
}

/// The trail of who asked for what, and what came of it: rows are only ever added.
package enum Audit {
    package enum Event: String, Sendable, CaseIterable {
        case requested, denied, started, finished, downloaded, cancelled, failed, expired, deleted, held
        case paused, resumed, drained
    }

    /// Adds an event within the transaction that runs.
    ///
    /// - Parameter details: a JSON object; what is in it depends on the event.
    package static func record(
        _ event: Event, job: JobID?, tenant: String?, actorKey: String?, actorEmail: String?, peer: Peer?,
        reason: String? = nil, details: String = "{}", on connection: isolated PostgresConnection
    ) async throws {
        try await connection.query(
            Query(
                "audit",
                """
                INSERT INTO adminexport.audit_event
                    (event, job, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason, details)
                VALUES ($1, $2::uuid, $3, $4, $5, $6::bigint, $7::bigint, $8::bigint, $9, $10::jsonb)
                """,
                [
                    .text(event.rawValue), .text(job?.description), .text(tenant), .text(actorKey), .text(actorEmail),
                    .text(peer.map { "\($0.uid)" }), .text(peer.map { "\($0.gid)" }), .text(peer.map { "\($0.pid)" }),
                    .text(reason), .text(details),
                ]))
    }
}
