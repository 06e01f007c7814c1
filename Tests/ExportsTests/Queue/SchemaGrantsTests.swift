import Directory
@testable import Exports
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct SchemaGrantsTests {
    private static let roles = [DatabaseRole.api, DatabaseRole.worker]

    @Test("What the migrations grant is found in them, whole")
    func list() {
        let grants = Migrator.statements.flatMap(SchemaGrants.grants)
        #expect(grants.count > 40)
        #expect(Set(grants.map(\.kind)) == ["table", "schema", "sequence", "function"])
        #expect(Set(grants.map(\.role)) == [DatabaseRole.api, DatabaseRole.worker])
        // As many statements as there are words.
        let words = Migrator.statements.joined().matches(of: /(?m)^GRANT\s/).count
        #expect(Set(grants.map(\.statement)).count == words)
    }

    @Test(
        "A database that was migrated lacks nothing; each privilege that is revoked is named, and its statement gives it back"
    )
    func each() async throws {
        try await TestDatabase.with { database in
            let admin = try await database.connect()
            let login = try await database.connect(user: TestDatabase.serviceUser)
            func faults() async throws -> [String] {
                try await login.withTransaction(readOnly: true) { connection in
                    try await SchemaGrants.faults(roles: Self.roles, on: connection).map(\.description)
                }
            }
            #expect(try await faults() == [])
            // What the roles have is what the list has.
            let grants = Migrator.statements.flatMap(SchemaGrants.grants)
            for grant in grants {
                let kind = grant.kind == "table" ? "" : grant.kind.uppercased()
                let name = grant.kind == "schema" ? "adminexport" : "adminexport.\(grant.name)"
                let call = grant.kind == "function" ? "()" : ""
                let column = grant.column.map { " (\($0))" } ?? ""
                try await admin.script(
                    "test", "REVOKE \(grant.privilege)\(column) ON \(kind) \(name)\(call) FROM \(grant.role)")
                let found = try await faults()
                #expect(
                    found.count == 1 && found[0].contains("\(grant.role) lacks \(grant.privilege)\(column)")
                        && found[0].contains(grant.name), "\(grant) \(found)")
                try await admin.script("test", grant.statement)
            }
            #expect(try await faults() == [])
        }
    }
}
