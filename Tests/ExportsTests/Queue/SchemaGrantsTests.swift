import Directory
@testable import Exports
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct SchemaGrantsTests {
    private static let roles = [DatabaseRole.api, DatabaseRole.worker]

    @Test("The search finds every GRANT statement of the migrations")
    func list() {
        let grants = Migrator.statements.flatMap(SchemaGrants.grants)
        #expect(grants.count > 40)
        #expect(Set(grants.map(\.kind)) == ["table", "schema", "sequence", "function"])
        #expect(Set(grants.map(\.role)) == [DatabaseRole.api, DatabaseRole.worker])
        // There are as many statements as words GRANT.
        let words = Migrator.statements.joined().matches(of: /(?m)^GRANT\s/).count
        #expect(Set(grants.map(\.statement)).count == words)
    }

    @Test(
        "A migrated database lacks no privilege; each revoked privilege is named, and its statement grants it again"
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
            // The check names each privilege of the list.
            let grants = Migrator.statements.flatMap(SchemaGrants.grants)
            for grant in grants {
                let kind = grant.kind == "table" ? "" : grant.kind.uppercased()
                let name = grant.kind == "schema" ? "adminexport" : "adminexport.\(grant.name)"

                let column = grant.column.map { " (\($0))" } ?? ""
                try await admin.script(
                    "test", "REVOKE \(grant.privilege)\(column) ON \(kind) \(name) FROM \(grant.role)")
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
