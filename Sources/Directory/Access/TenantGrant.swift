package import Postgres

/// What a caller is granted, and for which tenants.
///
/// A slug is a label: a tenant may be renamed, and another may be called as it was. So slugs are resolved to keys when something is
/// asked for, never before, and what is compared with a job or an event is the key.
package struct TenantGrant: Sendable, Equatable {
    package enum Tenants: Sendable, Equatable {
        case all
        case some([TenantName])
    }

    /// What the grant is called, for a denial.
    package let name: String
    package let tenants: Tenants

    package init(name: String, tenants: Tenants) {
        self.name = name
        self.tenants = tenants
    }

    private var names: [TenantName] {
        if case .some(let names) = tenants { names } else { [] }
    }

    private var slugs: [String] {
        names.compactMap { if case .slug(let slug) = $0 { slug } else { nil } }
    }

    /// Whether a tenant of this slug may be among them. Which it is, is for the directory to say where a key is granted.
    package func mayCover(slug: String) -> Bool {
        tenants == .all
            || names.contains { name in
                switch name {
                case .slug: name == .slug(slug)
                case .key: true
                }
            }
    }

    /// Whether the tenant that has the slug and the key now is among them.
    func covers(slug: String, key: String, _ types: KeyTypes) -> Bool {
        tenants == .all
            || names.contains { name in
                switch name {
                case .slug: name == .slug(slug)
                case .key(let granted): TenantName.key(types.tenant.canonical(granted)) == .key(key)
                }
            }
    }

    /// - Throws: ``TenantNotGranted``
    package func check(slug: String, key: String, _ types: KeyTypes) throws {
        guard covers(slug: slug, key: key, types) else { throw TenantNotGranted(tenant: slug, grant: name) }
    }
}

/// How the configuration names a tenant.
package enum TenantName: Sendable, Hashable {
    /// The tenant that has this slug at the time of asking; none where there is no such tenant, or where there are several.
    case slug(String)
    /// The tenant with this key, whatever it is called; also when the directory does not have it any more.
    case key(String)

    /// By bytes: `String` would take for equal what PostgreSQL tells apart.
    private var bytes: (isKey: Bool, text: Substring.UTF8View) {
        switch self {
        case .slug(let slug): (false, slug[...].utf8)
        case .key(let key): (true, key[...].utf8)
        }
    }

    package static func == (left: TenantName, right: TenantName) -> Bool {
        left.bytes.isKey == right.bytes.isKey && left.bytes.text.elementsEqual(right.bytes.text)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(bytes.isKey)
        for byte in bytes.text { hasher.combine(byte) }
    }
}

/// A caller names a tenant for which it is not granted what it asks for. Whether there is such a tenant stays untold.
package struct TenantNotGranted: Error, Sendable, Equatable {
    package let tenant: String
    /// See ``TenantGrant/name``.
    package let grant: String
}

/// The tenants of a grant as they are at the time of asking.
package enum GrantedTenants: Sendable, Equatable {
    case all
    /// Only these, by key.
    case keys([String])
}

extension TenantGrant {
    /// The granted tenants' keys, where that takes no directory: every tenant, or tenants named by key.
    ///
    /// - Parameter types: of the directory's keys, which decide how a key is spelt.
    package func resolvedWithoutDirectory(_ types: KeyTypes?) -> GrantedTenants? {
        guard tenants != .all else { return .all }
        guard let types else { return nil }
        var keys: [String] = []
        for name in names {
            guard case .key(let key) = name else { return nil }
            keys.append(types.tenant.canonical(key))
        }
        return .keys(keys)
    }

    /// Asks the directory which tenants are granted now.
    ///
    /// - Parameter tenant: the slug of the one that is wanted; nil for all that are granted.
    /// - Throws: ``TenantNotGranted``; ``DirectoryError/denied(_:)`` where a tenant that is granted by its slug is not there;
    ///   ``PostgresError``.
    package func resolve(
        only tenant: String?, _ types: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> GrantedTenants {
        if tenant == nil, let resolved = resolvedWithoutDirectory(types) { return resolved }
        let found = try await Self.tenants(slugs + (tenant.map { [$0] } ?? []), on: connection)
        if let tenant {
            guard let key = found[.slug(tenant)] else {
                if names.contains(.slug(tenant)) { throw DirectoryError.denied(.unknownTenant) }
                throw TenantNotGranted(tenant: tenant, grant: name)
            }
            try check(slug: tenant, key: key, types)
            return .keys([key])
        }
        return .keys(
            names.compactMap { name in
                switch name {
                case .slug: found[name]
                case .key(let key): types.tenant.canonical(key)
                }
            })
    }

    /// Those of the names that no tenant has now.
    package func missing(_ types: KeyTypes, on connection: isolated PostgresConnection) async throws -> [TenantName] {
        let keys = names.compactMap { if case .key(let key) = $0 { types.tenant.canonical(key) } else { nil } }
        let found = try await Self.tenants(slugs, on: connection)
        let rows = try await connection.query(
            Query(
                "tenant-keys", "SELECT id::text AS key FROM directory.tenant WHERE id::text = ANY ($1::text[])",
                [.texts(try await connection.storable(keys))]))
        let known = Set(try rows.map { TenantName.key(try $0.decode("key")) })
        return names.filter { name in
            switch name {
            case .slug: found[name] == nil
            case .key(let key): !known.contains(.key(types.tenant.canonical(key)))
            }
        }
    }

    /// The keys of tenants by slug; a slug that several have is left out. Uses the index on `tenant (slug)`.
    private static func tenants(
        _ slugs: [String], on connection: isolated PostgresConnection
    ) async throws -> [TenantName: String] {
        // One that the database cannot hold takes no other with it: no tenant has it.
        let rows = try await connection.query(tenantsQuery(connection.storable(slugs)))
        return Dictionary(
            try rows.map { (TenantName.slug(try $0.decode("slug")), try $0.decode("key")) },
            uniquingKeysWith: { first, _ in first })
    }

    package static func tenantsQuery(_ slugs: [String]) -> Query {
        Query(
            "granted-tenants",
            """
            SELECT asked.slug, min(t.id::text) AS key FROM unnest($1::text[]) AS asked (slug)
            JOIN directory.tenant t ON \(NamedAdministrators.isExactly("t.slug", "asked.slug"))
            GROUP BY asked.slug HAVING count(DISTINCT t.id) = 1
            """, [.texts(slugs)])
    }
}

extension KeyTypes.KeyType {
    /// A key that somebody has written down, as PostgreSQL spells it.
    func canonical(_ key: String) -> String {
        switch self {
        case .bigint: Int64(key).map(String.init) ?? key
        case .uuid: key.lowercased()
        case .text: key
        }
    }
}
