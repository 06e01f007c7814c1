private import Foundation
package import Postgres

/// The process at the other end of the socket, as the audit trail records it. The kernel gave its credentials.
package struct CallingProcess: Sendable, Hashable {
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
        case requested, denied, started, finished, downloaded, undelivered, cancelled, failed, expired, deleted, held
        case paused, resumed, drained
    }

    /// An event that is written later than what it tells of was done.
    package struct Entry: Sendable, Equatable {
        package var event: Event
        package var job: JobID?
        package var tenantKey: String?
        package var tenant: String?
        package var actorKey: String?
        package var actorEmail: String?
        package var peer: CallingProcess?
        package var reason: String?
        /// A JSON object.
        package var details: String

        package init(
            event: Event, job: JobID?, tenantKey: String?, tenant: String?, actorKey: String?, actorEmail: String?,
            peer: CallingProcess?, reason: String?, details: String = "{}"
        ) {
            self.event = event
            self.job = job
            self.tenantKey = tenantKey
            self.tenant = tenant
            self.actorKey = actorKey
            self.actorEmail = actorEmail
            self.peer = peer
            self.reason = reason
            self.details = details
        }

        /// By the names of the columns.
        fileprivate var columns: [String: String?] {
            [
                "event": event.rawValue, "job": job?.description, "tenant_key": tenantKey, "tenant_slug": tenant,
                "actor_key": actorKey, "actor_email": actorEmail, "peer_uid": peer.map { "\($0.uid)" },
                "peer_gid": peer.map { "\($0.gid)" }, "peer_pid": peer.map { "\($0.pid)" }, "reason": reason,
                "details": details,
            ]
        }
    }

    /// Adds events in their order, in one statement.
    package static func record(_ entries: [Entry], on connection: isolated PostgresConnection) async throws {
        let json = String(decoding: try JSONEncoder().encode(entries.map(\.columns)), as: UTF8.self)
        try await connection.query(
            Query(
                "audit-later",
                """
                INSERT INTO adminexport.audit_event
                    (event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason, details)
                SELECT event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason,
                    details::jsonb
                FROM jsonb_to_recordset($1::jsonb) AS e (event text, job uuid, tenant_key text, tenant_slug text,
                    actor_key text, actor_email text, peer_uid bigint, peer_gid bigint, peer_pid bigint, reason text, details text)
                """, [.text(json)]))
    }

    /// Adds an event within the transaction that runs.
    ///
    /// - Parameters:
    ///   - tenantKey: whose event it is; that of the job where it is nil and there is a job.
    ///   - tenant: what the tenant is called, for people.
    ///   - details: a JSON object; what is in it depends on the event.
    package static func record(
        _ event: Event, job: JobID?, tenantKey: String?, tenant: String?, actorKey: String?, actorEmail: String?,
        peer: CallingProcess?, reason: String? = nil, details: String = "{}", on connection: isolated PostgresConnection
    ) async throws {
        try await connection.query(
            Query(
                "audit",
                """
                INSERT INTO adminexport.audit_event
                    (event, job, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid, reason, details)
                VALUES ($1, $2::uuid, $3, $4, $5, $6, $7::bigint, $8::bigint, $9::bigint, $10, $11::jsonb)
                """,
                [
                    .text(event.rawValue), .text(job?.description), .text(tenantKey), .text(tenant), .text(actorKey),
                    .text(actorEmail), .text(peer.map { "\($0.uid)" }), .text(peer.map { "\($0.gid)" }),
                    .text(peer.map { "\($0.pid)" }),
                    .text(reason), .text(details),
                ]))
    }
}
