package import Postgres

/// An administrator of a tenant, by the keys and the labels that the directory has for them. What they may is ``ExportPermission``.
package struct ActorIdentity: Sendable, Equatable {
    package let tenantKey: String
    package let tenantSlug: String
    package let actorKey: String
    package let actorEmail: String
}

/// The permission of an administrator to export: who they are, their time zone, and which accounts they see.
package struct ExportPermission: Sendable, Equatable {
    package let identity: ActorIdentity
    package let timeZone: String
    package let scope: Scope

    /// The permission that an export takes.
    package static let name = "administrators.view"
}

/// How an actor is named, before the directory is asked.
package enum ActorReference: Sendable {
    /// By tenant slug and exact e-mail, as a caller does; see ``NamedAdministrators``.
    ///
    /// - Parameter within: what the caller is granted; nil where that is not for the directory to say.
    case labels(tenant: String, email: String, within: TenantGrant? = nil)
    /// By keys, as a job does: these stay when somebody is renamed.
    case keys(tenant: String, actor: String)
}

extension ActorReference {
    /// What is wrong with a name that the database's encoding cannot hold: nobody there has it. Every encoding of a server has ASCII.
    package var unstorable: DirectoryError? {
        guard case .labels(let tenant, let email, _) = self else { return nil }
        func isSafe(_ text: String) -> Bool { text.utf8.allSatisfy { (1...127).contains($0) } }
        if !isSafe(tenant) { return .denied(.unknownTenant) }
        return isSafe(email) ? nil : .denied(.unknownAdministrator)
    }
}

extension ActorIdentity {
    /// Looks the actor up.
    ///
    /// - Throws: ``DirectoryError/denied(_:)`` for a tenant or an administrator that is not there, or a name that several have;
    ///   ``TenantNotGranted``; ``PostgresError``.
    package static func find(
        _ actor: ActorReference, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> ActorIdentity {
        try await ExportPermission.row(actor, keys: keys, on: connection).identity
    }
}

extension ExportPermission {
    /// Looks the actor up and decides, in one statement, so that one snapshot is asked.
    ///
    /// - Throws: ``DirectoryError/denied(_:)``; ``TenantNotGranted``; ``PostgresError``.
    package static func check(
        _ actor: ActorReference, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> ExportPermission {
        let (row, identity) = try await row(actor, keys: keys, on: connection)
        guard try row.decode("status") == "enabled" else { throw DirectoryError.denied(.disabled) }
        guard try row.decode("permitted", as: Bool.self) else { throw DirectoryError.denied(.noPermission) }
        let scope: Scope
        switch try row.decodeIfPresent("scope", as: String.self) {
        case "tenant": scope = .tenant
        case "groups": scope = .groups(roots: try row.decode("roots"))
        default: throw DirectoryError.denied(.noPermission)
        }
        return ExportPermission(identity: identity, timeZone: try row.decodeIfPresent("time_zone") ?? "", scope: scope)
    }

    fileprivate static func row(
        _ actor: ActorReference, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> (row: Row, identity: ActorIdentity) {
        let rows: [Row]
        do {
            rows = try await connection.query(query(actor, keys: keys))
        } catch let error as PostgresError where error.isUnstorableText {
            // Before anything is told about the tenant, even that there is none.
            if case .labels(let tenant, _, let grant?) = actor, !grant.covers(slug: tenant, key: "", keys) {
                throw TenantNotGranted(tenant: tenant, grant: grant.name)
            }
            throw actor.unstorable ?? error
        }
        if case .labels(let tenant, _, let grant?) = actor {
            guard !rows.isEmpty || grant.covers(slug: tenant, key: "", keys) else {
                throw TenantNotGranted(tenant: tenant, grant: grant.name)
            }
            for row in rows { try grant.check(slug: tenant, key: row.decode("tenant_key"), keys) }
        }
        guard let row = rows.first else { throw DirectoryError.denied(.unknownTenant) }
        guard rows.count == 1 else { throw try await severalRows(rows, keys: keys, on: connection) }
        guard let actorKey = try row.decodeIfPresent("actor_key", as: String.self) else {
            throw DirectoryError.denied(.unknownAdministrator)
        }
        return (
            row,
            ActorIdentity(
                tenantKey: try row.decode("tenant_key"), tenantSlug: try row.decode("slug"), actorKey: actorKey,
                actorEmail: try row.decode("email"))
        )
    }

    /// Why there are two rows: two administrators have the address, or the directory has something twice.
    private static func severalRows(
        _ rows: [Row], keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> DirectoryError {
        let tenants: Set<String> = try Set(rows.map { try $0.decode("tenant_key") })
        if tenants.count > 1 {
            return .doubled("tenant", "slug", try rows[0].decode("slug"))
        }
        let actors = try Set(rows.compactMap { try $0.decodeIfPresent("actor_key", as: String.self) })
        let tenant: String = try rows[0].decode("tenant_key")
        guard actors.count == 1, let actor = actors.first else {
            return actors.isEmpty
                ? .doubled("tenant", tenant) : .denied(.ambiguousActor)
        }
        let counts = try await connection.query(doubledRows(tenant: tenant, actor: actor, keys: keys)).first
        for relation in ["tenant", "administrator"] where try counts?.decode(relation, as: Int.self) ?? 0 > 1 {
            return .doubled(relation, relation == "tenant" ? tenant : actor)
        }
        let profile: String? = try counts?.decodeIfPresent("profile_key")
        return .doubled("profile", profile ?? "")
    }

    /// How often the tenant and the actor are there, for one who is there twice.
    static func doubledRows(tenant: String, actor: String, keys: KeyTypes) -> Query {
        let (tenantKey, actorKey) = ("$1::\(keys.tenant.rawValue)", "$2::\(keys.administrator.rawValue)")
        return Query(
            "doubled-actor",
            """
            SELECT (SELECT count(*) FROM directory.tenant WHERE id = \(tenantKey)) AS tenant, count(*) AS administrator,
                min(profile_id::text) AS profile_key
            FROM directory.administrator WHERE tenant_id = \(tenantKey) AND id = \(actorKey)
            """, [.text(tenant), .text(actor)])
    }

    /// Uses the indexes that ``NamedAdministrators`` needs, or the primary keys. Two rows are enough to see that a name is ambiguous.
    static func query(_ actor: ActorReference, keys: KeyTypes) -> Query {
        let columns = "id, email, status, profile_id, main_group_id"
        let tenantCondition: String
        let administrator: String
        let values: [Query.Parameter]
        switch actor {
        case .labels(let tenant, let email, _):
            tenantCondition = NamedAdministrators.isExactly("t.slug", "$2")
            administrator = NamedAdministrators.sql(columns, tenant: "t.id", email: "$3")
            values = [.text(tenant), .text(email)]
        case .keys(let tenant, let actor):
            tenantCondition = "t.id = $2::\(keys.tenant.rawValue)"
            administrator = """
                (SELECT \(columns) FROM directory.administrator
                 WHERE tenant_id = t.id AND id = $3::\(keys.administrator.rawValue))
                """
            values = [.text(tenant), .text(actor)]
        }
        return Query(
            "export-permission",
            """
            SELECT t.id::text AS tenant_key, t.slug::text AS slug, t.time_zone::text AS time_zone,
                a.id::text AS actor_key, a.email::text AS email, a.status::text AS status, p.scope::text AS scope,
                coalesce(p.permissions::text[] @> ARRAY[$1]::text[], false) AS permitted,
                ARRAY(SELECT key FROM (
                    SELECT a.main_group_id::text AS key WHERE a.main_group_id IS NOT NULL
                    UNION
                    SELECT s.group_id::text FROM directory.administrator_secondary_group s WHERE s.administrator_id = a.id
                ) g ORDER BY key COLLATE "C") AS roots
            FROM directory.tenant t
            LEFT JOIN LATERAL \(administrator) AS a ON true
            LEFT JOIN directory.profile p ON p.id = a.profile_id AND p.tenant_id = t.id
            WHERE \(tenantCondition)
            LIMIT 2
            """, [.text(name)] + values)
    }
}
