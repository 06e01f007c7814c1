package import Postgres

/// A grant of the configuration to callers, and the tenants for which it holds.
///
/// A slug is a label: a tenant can be renamed, and another tenant can get its old slug. So slugs are resolved to keys at each
/// request, never before, and jobs and events are compared by key.
package struct TenantGrant: Sendable, Equatable {
    /// The tenants of a grant, as the configuration names them.
    package enum Tenants: Sendable, Equatable {
        /// Every tenant.
        case all
        /// These tenants.
        case some([TenantName])
    }

    /// The name of the grant, for denials.
    package let name: String
    /// The tenants for which the grant holds.
    package let tenants: Tenants

    /// A grant for tenants.
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

    /// Whether the grant may cover a tenant with this slug. If the grant names a key, only the directory can decide.
    package func mayCover(slug: String) -> Bool {
        tenants == .all
            || names.contains { name in
                switch name {
                case .slug: name == .slug(slug)
                case .key: true
                }
            }
    }

    /// Whether the grant covers the tenant that has this slug and this key now.
    func covers(slug: String, key: String, _ types: KeyTypes) -> Bool {
        tenants == .all
            || names.contains { name in
                switch name {
                case .slug: name == .slug(slug)
                case .key(let granted): TenantName.key(types.tenant.canonical(granted)) == .key(key)
                }
            }
    }

    /// Checks that the grant covers the tenant that has this slug and this key now.
    ///
    /// - Throws: ``TenantNotGranted``
    package func check(slug: String, key: String, _ types: KeyTypes) throws {
        guard covers(slug: slug, key: key, types) else { throw TenantNotGranted(tenant: slug, grant: name) }
    }
}

/// The name of a tenant in the configuration.
package enum TenantName: Sendable, Hashable {
    /// The tenant that has this slug when a request is checked; no tenant if none or several have it.
    case slug(String)
    /// The tenant with this key, whatever its slug is. It may no longer be in the directory.
    case key(String)

    /// The bytes to compare: `String` treats canonically equivalent texts as equal, and PostgreSQL does not.
    private var bytes: (isKey: Bool, text: Substring.UTF8View) {
        switch self {
        case .slug(let slug): (false, slug[...].utf8)
        case .key(let key): (true, key[...].utf8)
        }
    }

    /// Compares by bytes, as PostgreSQL does.
    package static func == (left: TenantName, right: TenantName) -> Bool {
        left.bytes.isKey == right.bytes.isKey && left.bytes.text.elementsEqual(right.bytes.text)
    }

    /// Hashes the bytes.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(bytes.isKey)
        for byte in bytes.text { hasher.combine(byte) }
    }
}

/// A caller names a tenant that its grant does not cover. The error does not reveal whether the tenant exists.
package struct TenantNotGranted: Error, Sendable, Equatable {
    /// The slug, as the caller sent it.
    package let tenant: String
    /// The name of the grant; see ``TenantGrant/name``.
    package let grant: String
}

/// The tenants of a grant at the time of a request.
package enum GrantedTenants: Sendable, Equatable {
    /// Every tenant.
    case all
    /// Only these, by key.
    case keys([String])
}

extension TenantGrant {
    /// The keys of the granted tenants, if no query of the directory is needed: for every tenant, or tenants named by key.
    ///
    /// - Parameter types: the types of the directory's keys, which determine how a key is written.
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

    /// Queries the directory for the tenants that are granted now.
    ///
    /// - Parameter tenant: the slug of the only tenant of interest; nil for all granted tenants.
    /// - Throws: ``TenantNotGranted``; ``DirectoryError/denied(_:)`` if no tenant has a slug that is granted;
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

    /// Returns the names that no tenant has now.
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

    /// The keys of tenants by slug, without slugs that several tenants have. Uses the index on `tenant (slug)`.
    private static func tenants(
        _ slugs: [String], on connection: isolated PostgresConnection
    ) async throws -> [TenantName: String] {
        // A slug that the database cannot represent must not fail the query: no tenant has it.
        let rows = try await connection.query(tenantsQuery(connection.storable(slugs)))
        return Dictionary(
            try rows.map { (TenantName.slug(try $0.decode("slug")), try $0.decode("key")) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The query for the keys of tenants by slug. It leaves out slugs that several tenants have.
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
    /// Returns a key from the configuration in the form in which PostgreSQL writes it.
    func canonical(_ key: String) -> String {
        switch self {
        case .bigint: Int64(key).map(String.init) ?? key
        case .uuid: key.lowercased()
        case .text: key
        }
    }
}
