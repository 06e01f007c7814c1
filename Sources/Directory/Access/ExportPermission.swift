package import Postgres

/// An administrator of a tenant, by the keys and the labels of the directory. ``ExportPermission`` says what the administrator
/// may do.
package struct ActorIdentity: Sendable, Equatable {
    /// The tenant's key, as text.
    package let tenantKey: String
    /// The tenant's slug.
    package let tenantSlug: String
    /// The administrator's key, as text.
    package let actorKey: String
    /// The administrator's e-mail address.
    package let actorEmail: String
}

/// The permission of an administrator to export: the identity, the tenant's time zone, and the accounts that the administrator
/// sees.
package struct ExportPermission: Sendable, Equatable {
    /// Who the administrator is.
    package let identity: ActorIdentity
    /// The name of the tenant's time zone; empty if the directory has none. Not checked here.
    package let timeZone: String
    /// Which accounts of the tenant the administrator sees.
    package let scope: Scope
    /// All permissions of the administrator's profile; nil if nobody asked for them.
    package let permissions: PermissionNames?

    /// The permission that a profile needs for exports.
    package static let name = "administrators.view"
}

/// Names of permissions. They are compared byte by byte, as PostgreSQL compares them: `String` treats canonically equivalent names as equal.
package struct PermissionNames: Sendable, Equatable {
    private let names: Set<[UInt8]>

    /// No names unless given.
    package init(_ names: [String] = []) {
        self.names = Set(names.map { Array($0.utf8) })
    }

    /// Whether the name is among them.
    package func contains(_ name: String) -> Bool { names.contains(Array(name.utf8)) }
}

/// The name of an actor before the directory is queried.
package enum ActorReference: Sendable {
    /// By tenant slug and exact e-mail address, as callers send them; see ``NamedAdministrators``.
    ///
    /// - Parameter within: the tenants that are granted to the caller; nil if the caller is not checked here.
    case labels(tenant: String, email: String, within: TenantGrant? = nil)
    /// By the keys in a job's row. They stay the same when somebody is renamed.
    case keys(tenant: String, actor: String)
}

extension ActorReference {
    /// The denial for a name that the encoding of the database cannot represent: no row there has it. nil if the name is ASCII,
    /// which every server encoding has.
    package var unstorable: DirectoryError? {
        guard case .labels(let tenant, let email, _) = self else { return nil }
        func isSafe(_ text: String) -> Bool { text.utf8.allSatisfy { (1...127).contains($0) } }
        if !isSafe(tenant) { return .denied(.unknownTenant) }
        return isSafe(email) ? nil : .denied(.unknownAdministrator)
    }
}

extension ActorIdentity {
    /// Finds the actor.
    ///
    /// - Throws: ``DirectoryError/denied(_:)`` for an unknown tenant or administrator, or an ambiguous name;
    ///   ``TenantNotGranted``; ``PostgresError``.
    package static func find(
        _ actor: ActorReference, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> ActorIdentity {
        try await ExportPermission.row(actor, keys: keys, on: connection).identity
    }
}

extension ExportPermission {
    /// Finds the actor and decides in the same statement, so that both see one snapshot.
    ///
    /// - Parameter listsPermissions: whether to read ``permissions``.
    /// - Throws: ``DirectoryError/denied(_:)``; ``TenantNotGranted``; ``PostgresError``.
    package static func check(
        _ actor: ActorReference, listsPermissions: Bool = false, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> ExportPermission {
        let (row, identity) = try await row(actor, listsPermissions: listsPermissions, keys: keys, on: connection)
        guard try row.decode("status") == "enabled" else { throw DirectoryError.denied(.disabled) }
        guard try row.decode("permitted", as: Bool.self) else { throw DirectoryError.denied(.noPermission) }
        let scope: Scope
        switch try row.decodeIfPresent("scope", as: String.self) {
        case "tenant": scope = .tenant
        case "groups": scope = .groups(roots: try row.decode("roots"))
        default: throw DirectoryError.denied(.noPermission)
        }
        return ExportPermission(
            identity: identity, timeZone: try row.decodeIfPresent("time_zone") ?? "", scope: scope,
            permissions: listsPermissions ? PermissionNames(try row.decode("permissions")) : nil)
    }

    fileprivate static func row(
        _ actor: ActorReference, listsPermissions: Bool = false, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> (row: Row, identity: ActorIdentity) {
        let rows: [Row]
        do {
            rows = try await connection.query(query(actor, listsPermissions: listsPermissions, keys: keys))
        } catch let error as PostgresError where error.isUnstorableText {
            // This check comes first, so that the error reveals nothing about the tenant, not even that it does not exist.
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

    /// Why there are two rows: two administrators have the address, or the directory contains a row twice.
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

    /// Counts the rows of the tenant and of the actor, for an actor who is found twice.
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

    /// Uses the indexes that ``NamedAdministrators`` needs, or the primary keys. Two rows are enough to detect an ambiguous
    /// name.
    static func query(_ actor: ActorReference, listsPermissions: Bool = false, keys: KeyTypes) -> Query {
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
        let permissions =
            listsPermissions
            ? "ARRAY(SELECT name FROM unnest(p.permissions::text[]) AS name WHERE name IS NOT NULL) AS permissions," : ""
        return Query(
            "export-permission",
            """
            SELECT t.id::text AS tenant_key, t.slug::text AS slug, t.time_zone::text AS time_zone,
                a.id::text AS actor_key, a.email::text AS email, a.status::text AS status, p.scope::text AS scope,
                coalesce(p.permissions::text[] @> ARRAY[$1]::text[], false) AS permitted,
                \(permissions)
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
