import AdminExportAPI
private import Foundation
import Testing
import TestSupport

@testable import Accounts

@Suite(.timeLimit(.minutes(10))) struct AccountListTests {
    private static let owner = ActorName(tenant: "acme", administrator: "owner@acme.example")
    private static let europe = ActorName(tenant: "acme", administrator: "europe@acme.example")

    /// An account list that uses the console's login, which may read the columns of the contract and nothing else.
    private func list(_ database: TestDatabase, sql: String = SmallTenant.sql) async throws -> AccountList {
        try await database.execute(sql)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try await database.execute(
            String(contentsOf: root.appending(path: "Examples/Console/console-login.sql"), encoding: .utf8))
        return AccountList(database: database.url(user: "adminexport_console"))
    }

    @Test("An account list applies the export's scope: the whole tenant, or the actor's groups and all groups below them")
    func scope() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            let all = try await list.page(of: Self.owner, AccountQuery())
            #expect(all.accounts.map(\.key) == ["1", "2", "3", "4", "5", "6", "7", "8"])
            #expect(all.matches == 8)
            #expect(
                all.actor == ActorDetails(name: "John Smith", tenantName: "Acme", timeZone: "Europe/Paris", mayView: true))
            let few = try await list.page(of: Self.europe, AccountQuery())
            #expect(few.accounts.map(\.key) == ["1", "2", "3", "5", "6", "8"])
            let enabled = try await list.page(of: Self.europe, AccountQuery(status: .enabled))
            #expect(enabled.accounts.map(\.key) == ["1", "2", "3", "5", "6"])
            let disabled = try await list.page(of: Self.owner, AccountQuery(status: .disabled))
            #expect(disabled.accounts.map(\.key) == ["4", "8"])
        }
    }

    @Test("While other groups are hidden, an account names the groups of the actor's scope and counts the others")
    func hiddenGroups() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            try await database.execute("INSERT INTO directory.administrator_secondary_group VALUES (5, 4), (5, 2), (6, 1)")
            func groups(_ actor: ActorName, _ others: ServiceInfo.OtherGroups) async throws -> [String] {
                var query = AccountQuery(status: .enabled)
                query.otherGroups = others
                return try await list.page(of: actor, query).accounts.filter { ["2", "5", "6"].contains($0.key) }.map {
                    "\($0.mainGroup ?? "-"): \($0.secondaryGroups.joined(separator: "; ")) \($0.hiddenGroups)"
                }
            }
            let all = ["Europe:  0", "Paris, \"City\": Asia; France 0", "Asia: Europe; Paris, \"City\" 0"]
            #expect(try await groups(Self.owner, .hide) == all)
            #expect(try await groups(Self.europe, .show) == all)
            #expect(
                try await groups(Self.europe, .hide) == [
                    "Europe:  0", "Paris, \"City\": France 1", "-: Europe; Paris, \"City\" 1",
                ])
        }
    }

    @Test("An address names its only enabled account; if two enabled accounts have the address, the list denies the actor")
    func twins() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            try await database.execute(
                "INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, status) VALUES (0, 1, 'Before', 'owner@acme.example', 1, 'disabled')"
            )
            #expect(try await list.details(of: Self.owner)?.name == "John Smith")
            #expect(try await list.page(of: Self.owner, AccountQuery()).actor.name == "John Smith")
            try await database.execute("UPDATE directory.administrator SET status = 'enabled', profile_id = 3 WHERE id = 0")
            #expect(try await list.details(of: Self.owner) == nil)
            let error = await #expect(throws: AccountsError.self) { _ = try await list.page(of: Self.owner, AccountQuery()) }
            #expect(error?.code == .denied)
        }
    }

    @Test("An account has the values that an export shows, with its days in the tenant's time zone")
    func columns() async throws {
        try await TestDatabase.with { database in
            let accounts = try await list(database).page(of: Self.owner, AccountQuery()).accounts
            #expect(
                accounts[0]
                    == Account(
                        key: "1", name: "John Smith", email: "owner@acme.example", phone: "+33 6 12 34 56 78",
                        profile: "Super Administrator", mainGroup: nil,
                        secondaryGroups: ["Europe", "France", "Paris, \"City\""], hiddenGroups: 0,
                        teams: ["EMEA", "Support"],
                        created: "2025-10-24", updated: "2026-05-22", isEnabled: true, attributes: []))
            #expect(accounts[1].created == "2025-02-01")
            #expect(accounts[1].updated == "2026-07-01")
            #expect(!accounts[3].isEnabled)
        }
    }

    @Test("Pages are consecutive in both directions and do not overlap")
    func pages() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            var page = try await list.page(of: Self.owner, AccountQuery(limit: 3))
            #expect(!page.hasPrevious)
            var seen = [page.accounts.map(\.key)]
            while page.hasNext {
                let last = try #require(page.accounts.last)
                page = try await list.page(of: Self.owner, AccountQuery(position: .after(last.key), limit: 3))
                #expect(page.hasPrevious)
                seen.append(page.accounts.map(\.key))
            }
            #expect(seen == [["1", "2", "3"], ["4", "5", "6"], ["7", "8"]])
            let first = try #require(page.accounts.first)
            page = try await list.page(of: Self.owner, AccountQuery(position: .before(first.key), limit: 3))
            #expect(page.accounts.map(\.key) == ["4", "5", "6"])
            #expect(page.hasPrevious && page.hasNext)
            page = try await list.page(of: Self.owner, AccountQuery(position: .before("4"), limit: 3))
            #expect(page.accounts.map(\.key) == ["1", "2", "3"])
            #expect(!page.hasPrevious)
        }
    }

    @Test(
        "The search looks for a text in name, e-mail and phone, ignores case, and treats no character as special",
        arguments: [
            ("john", ["1"]), ("EUROPE@", ["2"]), ("12 34", ["1"]), ("zOË", ["2"]), ("=1+", ["3"]), ("%", []), ("_", []),
            ("' OR true --", []), ("\0", []), ("john\0", []), ("\u{FFFF}", []),
            ("acme.example", ["1", "2", "3", "4", "5", "6", "7", "8"]),
        ])
    func search(_ text: String, _ keys: [String]) async throws {
        try await TestDatabase.with { database in
            let page = try await list(database).page(of: Self.owner, AccountQuery(search: text))
            #expect(page.accounts.map(\.key) == keys)
            #expect(page.matches == keys.count)
        }
    }

    @Test("An actor without permission gets no accounts, but gets the details about themselves")
    func denied() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            for administrator in ["nobody@acme.example", "gone@acme.example", "none@acme.example", "owner@globex.example"] {
                await #expect(throws: AccountsError.self) {
                    try await list.page(of: ActorName(tenant: "acme", administrator: administrator), AccountQuery())
                }
            }
            let nobody = try await list.details(of: ActorName(tenant: "acme", administrator: "nobody@acme.example"))
            #expect(nobody == ActorDetails(name: "=1+1", tenantName: "Acme", timeZone: "Europe/Paris", mayView: false))
            #expect(try await list.details(of: Self.owner)?.mayView == true)
            #expect(try await list.details(of: ActorName(tenant: "acme", administrator: "none@acme.example")) == nil)
        }
    }

    @Test("The list refuses a position that is not a key, and answers the next request")
    func badPosition() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            for key in ["x", "1; DROP TABLE directory.tenant", "99999999999999999999999", "\0"] {
                let error = await #expect(throws: AccountsError.self) {
                    try await list.page(of: Self.owner, AccountQuery(position: .after(key)))
                }
                #expect(error?.code == .invalidPosition)
            }
            #expect(try await list.page(of: Self.owner, AccountQuery()).matches == 8)
        }
    }

    @Test(
        "A text that the database cannot store matches no account and no actor, and is not reported as a directory fault",
        arguments: [
            ("UTF8", "\0"), ("UTF8", "a\0b"), ("LATIN1", "\0"), ("LATIN1", "株式会社"), ("LATIN1", "👍"), ("LATIN1", "\u{202E}"),
        ])
    func foreign(_ encoding: String, _ text: String) async throws {
        try await TestDatabase.with(encoding: encoding) { database in
            var sql = SmallTenant.sql
            for name in ["伟 王", "محمد", "👩‍💻"] { sql = sql.replacing(name, with: "x") }
            let list = try await list(database, sql: sql)
            let page = try await list.page(of: Self.owner, AccountQuery(search: text))
            #expect(page.accounts.isEmpty && page.matches == 0 && page.actor.mayView)
            #expect(try await list.page(of: Self.owner, AccountQuery(search: "ë")).accounts.map(\.key) == ["2"])
            for actor in [
                ActorName(tenant: text, administrator: "owner@acme.example"), ActorName(tenant: "acme", administrator: text),
            ] {
                #expect(try await list.details(of: actor) == nil)
                let denied = await #expect(throws: AccountsError.self) {
                    try await list.page(of: actor, AccountQuery(search: text))
                }
                #expect(denied?.code == .denied)
            }
            for query in [AccountQuery(position: .after(text)), AccountQuery(search: text, position: .before(text))] {
                let error = await #expect(throws: AccountsError.self) { try await list.page(of: Self.owner, query) }
                #expect(error?.code == .invalidPosition)
            }
        }
    }

    @Test("The examples contain one administrator of each profile")
    func examples() async throws {
        try await TestDatabase.with { database in
            let examples = try await list(database).examples()
            #expect(
                examples.map(\.email) == [
                    "owner@acme.example", "europe@acme.example", "nobody@acme.example", "owner@acme.example",
                ])
            #expect(examples.map(\.tenant) == ["acme", "acme", "acme", "globex"])
        }
    }

    @Test("If the count takes too long, the page is returned without the count")
    func slowCount() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            // Reading a row with an id above 2 takes 0.6 s. The count reads all rows; the page reads the first two.
            try await database.execute(
                """
                ALTER TABLE directory.administrator RENAME TO slow;
                CREATE VIEW directory.administrator AS
                    SELECT id, tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at
                    FROM directory.slow WHERE id <= 2 OR pg_sleep(0.6) IS NOT NULL;
                GRANT SELECT ON directory.administrator TO adminexport_console;
                """)
            let page = try await list.page(of: Self.owner, AccountQuery(limit: 1))
            #expect(page.accounts.map(\.key) == ["1"])
            #expect(page.hasNext && page.matches == nil)
            #expect(
                try await list.page(of: Self.owner, AccountQuery(limit: 1)).accounts.count == 1,
                "the connection remains usable")
        }
    }

    @Test("An unknown time zone is reported as an invalid directory")
    func timeZone() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            try await database.execute("UPDATE directory.tenant SET time_zone = 'Nowhere/Land' WHERE id = 1")
            let error = await #expect(throws: AccountsError.self) { try await list.page(of: Self.owner, AccountQuery()) }
            #expect(error?.code == .sourceInvalid)
            #expect(try await list.details(of: Self.owner)?.mayView == true)
        }
    }

    @Test("The list works if a column that only exports read has a wrong type, and fails if the e-mail column has one")
    func exportedTypes() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            try await database.execute(
                """
                ALTER TABLE directory.administrator ALTER created_at TYPE timestamp;
                ALTER TABLE directory.team ALTER name TYPE jsonb USING to_jsonb(name)
                """)
            #expect(try await list.page(of: Self.owner, AccountQuery()).accounts.count == 8)
            #expect(try await list.details(of: Self.owner)?.mayView == true)
            // Addresses of type char cannot be compared byte by byte.
            try await database.execute("ALTER TABLE directory.administrator ALTER email TYPE char(60)")
            let other = AccountList(database: database.url(user: "adminexport_console"))
            let error = await #expect(throws: AccountsError.self) { try await other.page(of: Self.owner, AccountQuery()) }
            #expect(error?.code == .sourceInvalid)
        }
    }

    @Test("A tenant or an account that occurs twice is reported as an invalid directory, not as an unknown actor")
    func doubledRows() async throws {
        try await TestDatabase.with { database in
            let list = try await list(database)
            for relation in ["administrator", "tenant"] {
                try await database.execute(
                    """
                    ALTER TABLE directory.\(relation) RENAME TO \(relation)_once;
                    CREATE VIEW directory.\(relation) AS
                        SELECT * FROM directory.\(relation)_once UNION ALL SELECT * FROM directory.\(relation)_once;
                    GRANT SELECT ON directory.\(relation) TO adminexport_console
                    """)
                let error = await #expect(throws: AccountsError.self) { try await list.details(of: Self.owner) }
                #expect(error?.code == .sourceInvalid)
            }
        }
    }

    @Test("A directory that cannot be reached is reported as unavailable")
    func unreachable() async throws {
        let list = AccountList(database: "postgresql:///none?host=/nonexistent")
        let error = await #expect(throws: AccountsError.self) { try await list.examples() }
        #expect(error?.code == .unavailable)
    }
}
