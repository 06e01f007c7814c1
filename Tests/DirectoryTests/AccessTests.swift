@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AccessTests {
    private func access(_ tenant: String, _ email: String, in database: TestDatabase) async throws -> Access {
        let connection = try await database.connect(user: TestDatabase.serviceUser)
        let keys = try await KeyTypes.load(connection)
        return try await connection.withTransaction(readOnly: true, role: "adminexport_api") { connection in
            try await Access.check(.labels(tenant: tenant, email: email), keys: keys, on: connection)
        }
    }

    @Test("Who may export is decided by tenant, account, profile and scope")
    func decisions() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            #expect(try await access("acme", "owner@acme.example", in: database).scope == .tenant)
            let europe = try await access("acme", "europe@acme.example", in: database)
            #expect(europe.scope == .groups(roots: ["1"]))
            #expect(europe.timeZone == "Europe/Paris")
            // The same address in another tenant is another person.
            #expect(try await access("globex", "owner@acme.example", in: database).identity.actorKey == "9")
            let denials: [(String, String, Denial)] = [
                ("none", "owner@acme.example", .unknownTenant), ("acme", "none@acme.example", .unknownAdministrator),
                ("acme", "OWNER@acme.example", .unknownAdministrator), ("acme", "gone@acme.example", .disabled),
                ("acme", "nobody@acme.example", .noPermission), ("ACME", "owner@acme.example", .unknownTenant),
            ]
            for (tenant, email, denial) in denials {
                await #expect(throws: DirectoryError.denied(denial)) {
                    _ = try await access(tenant, email, in: database)
                }
            }
            try await database.execute(
                "UPDATE directory.administrator SET email = 'owner@acme.example' WHERE id = 3")
            await #expect(throws: DirectoryError.denied(.ambiguousActor)) {
                _ = try await access("acme", "owner@acme.example", in: database)
            }
        }
    }

    @Test("A profile of another tenant gives nothing")
    func foreignProfile() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute("UPDATE directory.administrator SET profile_id = 4 WHERE id = 1")
            await #expect(throws: DirectoryError.denied(.noPermission)) {
                _ = try await access("acme", "owner@acme.example", in: database)
            }
        }
    }

    @Test(
        "A scope's digest tells kinds and lists of groups apart",
        arguments: [
            (Scope.tenant, Scope.groups(roots: [])), (.groups(roots: ["1"]), .groups(roots: ["1", "2"])),
            (.groups(roots: ["12"]), .groups(roots: ["1", "2"])),
            (.groups(roots: ["a", "b"]), .groups(roots: ["a\u{0}1\u{0}b"])),
        ])
    func digests(_ one: Scope, _ other: Scope) {
        #expect(one.digest != other.digest)
        #expect(one.digest == one.digest)
        #expect(Scope.tenant.mayRead(fileOf: other.hexadecimalDigest) && other.mayRead(fileOf: other.hexadecimalDigest))
    }
}
