@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ExportPermissionTests {
    private func permission(_ tenant: String, _ email: String, in database: TestDatabase) async throws -> ExportPermission {
        let connection = try await database.connect(user: TestDatabase.serviceUser)
        let keys = try await KeyTypes.load(connection)
        return try await connection.withTransaction(readOnly: true, role: "adminexport_api") { connection in
            try await ExportPermission.check(.labels(tenant: tenant, email: email), keys: keys, on: connection)
        }
    }

    @Test("Tenant, account, profile and scope decide who may export")
    func decisions() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            #expect(try await permission("acme", "owner@acme.example", in: database).scope == .tenant)
            let europe = try await permission("acme", "europe@acme.example", in: database)
            #expect(europe.scope == .groups(roots: ["1"]))
            #expect(europe.timeZone == "Europe/Paris")
            // The same address in another tenant is another person.
            #expect(try await permission("globex", "owner@acme.example", in: database).identity.actorKey == "9")
            let denials: [(String, String, Denial)] = [
                ("none", "owner@acme.example", .unknownTenant), ("acme", "none@acme.example", .unknownAdministrator),
                ("acme", "OWNER@acme.example", .unknownAdministrator), ("acme", "gone@acme.example", .disabled),
                ("acme", "nobody@acme.example", .noPermission), ("ACME", "owner@acme.example", .unknownTenant),
            ]
            for (tenant, email, denial) in denials {
                await #expect(throws: DirectoryError.denied(denial)) {
                    _ = try await permission(tenant, email, in: database)
                }
            }
            try await database.execute(
                "UPDATE directory.administrator SET email = 'owner@acme.example' WHERE id = 3")
            await #expect(throws: DirectoryError.denied(.ambiguousActor)) {
                _ = try await permission("acme", "owner@acme.example", in: database)
            }
        }
    }

    /// Accounts of one address, each with its status and whether its profile has the permission.
    struct Twins: Sendable, CustomTestStringConvertible {
        let accounts: [(status: String, mayExport: Bool)]
        /// The index of the account that the address names; nil if every request is denied.
        let named: Int?
        /// Why an export is denied.
        let denial: Denial?

        var testDescription: String { "\(accounts)" }

        init(_ accounts: (String, Bool)..., named: Int?, denial: Denial? = nil) {
            self.accounts = accounts.map { (status: $0.0, mayExport: $0.1) }
            self.named = named
            self.denial = denial
        }
    }

    @Test(
        "An address names its only enabled account, in any order of the rows; two enabled accounts are ambiguous, whatever they may do",
        arguments: [
            Twins(("disabled", true), ("enabled", true), named: 1),
            Twins(("enabled", true), ("disabled", true), named: 0),
            Twins(("disabled", true), ("enabled", false), named: 1, denial: .noPermission),
            Twins(("enabled", false), ("disabled", true), named: 0, denial: .noPermission),
            Twins(("disabled", true), ("disabled", true), ("enabled", true), ("disabled", false), named: 2),
            Twins(("enabled", true), ("enabled", false), named: nil, denial: .ambiguousActor),
            Twins(("enabled", false), ("enabled", true), named: nil, denial: .ambiguousActor),
            Twins(("enabled", true), ("disabled", true), ("enabled", true), named: nil, denial: .ambiguousActor),
            Twins(("disabled", true), named: 0, denial: .disabled),
            Twins(("locked", true), ("enabled", true), named: 1),
            Twins(("disabled", true), ("disabled", true), named: nil, denial: .ambiguousActor),
            Twins(("disabled", true), ("disabled", false), named: nil, denial: .ambiguousActor),
            Twins(named: nil, denial: .unknownAdministrator),
        ])
    func twins(_ twins: Twins) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute("ALTER TABLE directory.administrator DROP CONSTRAINT administrator_status_check")
            for (index, account) in twins.accounts.enumerated() {
                try await database.execute(
                    """
                    INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, status) VALUES
                        (\(100 + index), 1, 'Twin', 'twin@acme.example', \(account.mayExport ? 1 : 3), '\(account.status)'),
                        (\(200 + index), 2, 'Elsewhere', 'twin@acme.example', 4, 'enabled')
                    """)
            }
            func identity() async throws -> String {
                let connection = try await database.connect(user: TestDatabase.serviceUser)
                let keys = try await KeyTypes.load(connection)
                return try await connection.withTransaction(readOnly: true, role: "adminexport_api") { connection in
                    try await ActorIdentity.find(
                        .labels(tenant: "acme", email: "twin@acme.example"), keys: keys, on: connection
                    ).actorKey
                }
            }
            if let named = twins.named {
                #expect(try await identity() == "\(100 + named)")
            } else {
                let denial = try #require(twins.denial)
                await #expect(throws: DirectoryError.denied(denial)) { _ = try await identity() }
            }
            if let denial = twins.denial {
                await #expect(throws: DirectoryError.denied(denial)) {
                    _ = try await permission("acme", "twin@acme.example", in: database)
                }
            } else {
                let permission = try await permission("acme", "twin@acme.example", in: database)
                #expect(permission.identity.actorKey == twins.named.map { "\(100 + $0)" })
            }
        }
    }

    @Test("Addresses and slugs are compared byte by byte, even under a case-insensitive collation")
    func exactBytes() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                """
                CREATE COLLATION directory.careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                ALTER TABLE directory.administrator ALTER COLUMN email TYPE text COLLATE directory.careless;
                ALTER TABLE directory.tenant ALTER COLUMN slug TYPE text COLLATE directory.careless;
                INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id) VALUES (100, 1, 'Twin', 'Owner@acme.example', 1)
                """)
            #expect(try await permission("acme", "owner@acme.example", in: database).identity.actorKey == "1")
            #expect(try await permission("acme", "Owner@acme.example", in: database).identity.actorKey == "100")
            for (tenant, email, denial) in [
                ("acme", "OWNER@acme.example", Denial.unknownAdministrator), ("Acme", "owner@acme.example", .unknownTenant),
            ] {
                await #expect(throws: DirectoryError.denied(denial)) {
                    _ = try await permission(tenant, email, in: database)
                }
            }
        }
    }

    @Test(
        "Granted tenants are resolved at each request: a slug to the tenant that has it now, a key always to the same tenant"
    )
    func grants() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            func resolve(_ names: [TenantName], only tenant: String? = nil) async throws -> GrantedTenants {
                let connection = try await database.connect(user: TestDatabase.serviceUser)
                let keys = try await KeyTypes.load(connection)
                return try await connection.withTransaction(readOnly: true, role: "adminexport_api") { connection in
                    try await TenantGrant(name: "operator", tenants: .some(names)).resolve(
                        only: tenant, keys, on: connection)
                }
            }
            #expect(try await resolve([.slug("acme")]) == .keys(["1"]))
            #expect(try await resolve([.slug("globex"), .key("01"), .slug("nowhere")]) == .keys(["2", "1"]))
            #expect(try await resolve([.slug("nowhere"), .slug("Acme"), .slug("acme ")]) == .keys([]))
            #expect(try await resolve([.slug("acme"), .slug("globex")], only: "globex") == .keys(["2"]))
            #expect(try await resolve([.key("2")], only: "globex") == .keys(["2"]))
            await #expect(throws: TenantNotGranted(tenant: "globex", grant: "operator")) {
                _ = try await resolve([.slug("acme")], only: "globex")
            }
            await #expect(throws: TenantNotGranted(tenant: "nowhere", grant: "operator")) {
                _ = try await resolve([.key("1")], only: "nowhere")
            }
            await #expect(throws: DirectoryError.denied(.unknownTenant)) {
                _ = try await resolve([.slug("nowhere")], only: "nowhere")
            }
            // The tenant is renamed, and another tenant gets its slug.
            try await database.execute(
                """
                UPDATE directory.tenant SET slug = 'acme-old' WHERE id = 1;
                INSERT INTO directory.tenant (id, slug, name) VALUES (3, 'acme', 'Acme')
                """)
            #expect(try await resolve([.slug("acme")]) == .keys(["3"]))
            #expect(try await resolve([.key("1")]) == .keys(["1"]))
            await #expect(throws: TenantNotGranted(tenant: "acme", grant: "operator")) {
                _ = try await resolve([.key("1")], only: "acme")
            }
            // A slug of two tenants, which a view may show, names no tenant.
            try await database.execute(
                """
                ALTER TABLE directory.tenant DROP CONSTRAINT tenant_slug_key;
                INSERT INTO directory.tenant (id, slug, name) VALUES (4, 'acme', 'Acme')
                """)
            #expect(try await resolve([.slug("acme")]) == .keys([]))
        }
    }

    @Test("A key is compared in the form that PostgreSQL prints")
    func canonicalKeys() {
        #expect(KeyTypes.KeyType.bigint.canonical("+042") == "42")
        #expect(KeyTypes.KeyType.bigint.canonical("x") == "x")
        #expect(
            KeyTypes.KeyType.uuid.canonical("0190ABCD-0000-7000-8000-00000000000F") == "0190abcd-0000-7000-8000-00000000000f"
        )
        #expect(KeyTypes.KeyType.text.canonical("A") == "A")
    }

    @Test("Slugs that differ only in Unicode normalization are different")
    func lookAlikes() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
        #expect(composed == decomposed)
        let grant = TenantGrant(name: "export", tenants: .some([.slug(composed)]))
        #expect(grant.mayCover(slug: composed) && !grant.mayCover(slug: decomposed))
    }

    @Test("A profile of another tenant grants nothing")
    func foreignProfile() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute("UPDATE directory.administrator SET profile_id = 4 WHERE id = 1")
            await #expect(throws: DirectoryError.denied(.noPermission)) {
                _ = try await permission("acme", "owner@acme.example", in: database)
            }
        }
    }

    @Test(
        "Scopes of different kinds or with different groups have different digests",
        arguments: [
            (Scope.tenant, Scope.groups(roots: [])), (.groups(roots: ["1"]), .groups(roots: ["1", "2"])),
            (.groups(roots: ["12"]), .groups(roots: ["1", "2"])),
            (.groups(roots: ["a", "b"]), .groups(roots: ["a\u{0}1\u{0}b"])),
        ])
    func digests(_ one: Scope, _ other: Scope) {
        for others in OtherGroups.allCases {
            #expect(one.digest(others) != other.digest(others))
            #expect(Scope.tenant.mayRead(fileOf: other.digest(others), .hide))
            #expect(!other.mayRead(fileOf: one.digest(others), .show))
        }
    }

    @Test("A file that hides other groups may always be read; one that shows them only while they may be shown")
    func otherGroupsInFiles() {
        let scope = Scope.groups(roots: ["1"])
        #expect(scope.mayRead(fileOf: scope.digest(.show), .show) && scope.mayRead(fileOf: scope.digest(.hide), .show))
        #expect(!scope.mayRead(fileOf: scope.digest(.show), .hide) && scope.mayRead(fileOf: scope.digest(.hide), .hide))
        // A file of the whole tenant has no other groups.
        #expect(Scope.tenant.digest(.show) == Scope.tenant.digest(.hide))
    }
}
