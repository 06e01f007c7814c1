@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct DoubledRowsTests {
    /// Reads a snapshot to its end and joins its rows, as an export does.
    private static func read(_ database: TestDatabase, tree: Bool = true, connections: Int = 4) async throws -> Int {
        let pool = database.pool(size: connections)
        let keys = try await pool.withConnection { try await KeyTypes.load($0) }
        return try await Snapshot.read(
            actor: .keys(tenant: "1", actor: "1"), includeDisabled: true, includeGroupTree: tree, keys: keys, pool: pool,
            role: "adminexport_worker"
        ) { snapshot, pages in
            var count = 0
            for await page in pages { _ = try page.forEachRow(snapshot.references) { _ in count += 1 } }
            return count
        }
    }

    private static func fault(_ database: TestDatabase) async -> String {
        do {
            return "\(try await read(database)) rows"
        } catch {
            return "\(error)"
        }
    }

    private static func many(_ count: Int) -> String {
        """
        INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, main_group_id)
            SELECT i, 1, 'Name ' || i, i || '@acme.example', 3, 1 + i % 4 FROM generate_series(100, 99 + \(count)) i;
        INSERT INTO directory.administrator_team SELECT i, 1 + i % 2 FROM generate_series(100, 99 + \(count)) i
        """
    }

    /// With 3,008 administrators, the first page has 1,000 and ends with the id 1,091. With 8, all are on one page.
    @Test(
        "An administrator who occurs twice fails the export, which names the id, wherever the two rows are",
        arguments: [
            (0, 2), (0, 8), (3_000, 2), (3_000, 500), (3_000, 1_090), (3_000, 1_091), (3_000, 1_092), (3_000, 3_099),
            (25_000, 25_099), (25_000, 1_091),
        ])
    func administrators(_ count: Int, _ key: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            if count > 0 { try await database.execute(Self.many(count)) }
            #expect(await Self.fault(database) == "\(count + 8) rows")
            try await database.execute(WrongDirectory.doubled("administrator", "\(key)"))
            let fault = await Self.fault(database)
            #expect(fault.contains("two rows of directory.administrator have the same id \(key) in one tenant"), "\(fault)")
        }
    }

    @Test("Every relation with doubled rows is named with the id, including the actor's own rows")
    func relations() async throws {
        for (relation, key) in [
            ("tenant", 1), ("profile", 1), ("profile", 3), ("administrator_group", 1), ("administrator_group", 4),
            ("team", 2),
            ("administrator", 1),
        ] {
            try await TestDatabase.with { database in
                try await database.execute(SmallTenant.sql)
                try await database.execute(WrongDirectory.doubled(relation, "\(key)"))
                let fault = await Self.fault(database)
                #expect(fault.contains("two rows of directory.\(relation) have the same id \(key)"), "\(fault)")
                #expect(!fault.contains("@"))
                // The search without an export finds the same fault.
                let found = try await WrongRows.find(
                    as: "adminexport_worker", reading: .snapshot, on: database.connect())
                #expect(found.faults.map(\.problem).contains { fault.contains($0) }, "\(found)")
                // The permission check, which looks up names, finds the fault as well.
                if ["tenant", "profile", "administrator"].contains(relation), key == 1 {
                    let error = await #expect(throws: DirectoryError.self) {
                        _ = try await database.pool(size: 1).withTransaction(role: "adminexport_api") { connection in
                            try await ExportPermission.check(
                                .labels(tenant: "acme", email: "owner@acme.example"),
                                keys: try await KeyTypes.load(connection), on: connection)
                        }
                    }
                    #expect("\(error as Any)".contains("two rows of directory.\(relation)"), "\(error as Any)")
                }
            }
        }
    }

    @Test(
        "The search reads rows of child tables, because an index of the parent table does not cover them",
        arguments: [
            "administrator", "administrator_group", "team", "profile", "tenant",
        ])
    func inherited(_ relation: String) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute("CREATE TABLE directory.extra () INHERITS (directory.\(relation))")
            func found() async throws -> [ContractFault] {
                try await WrongRows.find(as: "adminexport_worker", reading: .snapshot, on: database.connect()).faults
            }
            #expect(try await found().isEmpty)
            try await database.execute("INSERT INTO directory.extra SELECT * FROM ONLY directory.\(relation) WHERE id = 1")
            let faults = try await found()
            #expect(
                faults.first?.problem.contains("two rows of directory.\(relation) have the same id 1") == true, "\(faults)")
        }
    }

    @Test(
        "Two tenants with one slug are a fault of the directory; two administrators with one address are an ambiguous actor")
    func labels() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            func check() async -> (any Error)? {
                do {
                    _ = try await database.pool(size: 1).withTransaction(role: "adminexport_api") { connection in
                        try await ExportPermission.check(
                            .labels(tenant: "acme", email: "owner@acme.example"), keys: try await KeyTypes.load(connection),
                            on: connection)
                    }
                    return nil
                } catch {
                    return error
                }
            }
            try await database.execute("UPDATE directory.administrator SET email = 'owner@acme.example' WHERE id = 2")
            #expect(await check() as? DirectoryError == .denied(.ambiguousActor))
            try await database.execute("UPDATE directory.administrator SET email = 'europe@acme.example' WHERE id = 2")
            try await database.execute(WrongDirectory.view("tenant", ["slug": "'acme'::text"]))
            #expect("\(await check() as Any)".contains("two rows of directory.tenant have the same slug acme"))
            let found = try await WrongRows.find(
                as: "adminexport_api", reading: .permission, on: database.connect())
            #expect(found.faults.map(\.problem) == ["two rows of directory.tenant have the same slug acme"])
        }
    }

    @Test("An export and a search report a row without an id, and a profile, group or team without a name")
    func nulls() async throws {
        for (relation, column, problem) in [
            ("administrator", "id", "a row of directory.administrator has no id"),
            ("profile", "id", "a row of directory.profile has no id"),
            ("profile", "name", "the row 3 of directory.profile has no name"),
            ("administrator_group", "name", "the row 3 of directory.administrator_group has no name"),
            ("team", "name", "the row 2 of directory.team has no name"),
        ] {
            try await TestDatabase.with { database in
                try await database.execute(SmallTenant.sql)
                let key = relation == "team" ? 2 : 3
                try await database.execute(
                    WrongDirectory.view(relation, [column: "CASE t.id WHEN \(key) THEN NULL ELSE t.\(column) END"]))
                let fault = await Self.fault(database)
                #expect(fault.contains(problem), "\(fault)")
                let found = try await WrongRows.find(as: "adminexport_worker", reading: .snapshot, on: database.connect())
                #expect(found.faults.map(\.problem) == [problem])
            }
        }
        // A table whose column allows NULL.
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                "ALTER TABLE directory.team ALTER name DROP NOT NULL; UPDATE directory.team SET name = NULL WHERE id = 1")
            let found = try await WrongRows.find(as: "adminexport_worker", reading: .snapshot, on: database.connect())
            #expect(found.faults.map(\.problem) == ["the row 1 of directory.team has no name"])
        }
    }

    /// The administrators, of whom the first belongs to both tenants.
    private static let ofBothTenants = """
        (SELECT * FROM platform.administrator UNION ALL
         SELECT id, 2, name, email, phone, 4, 5, status, created_at, updated_at, password_hash, totp_secret, api_key, session_token
         FROM platform.administrator WHERE id = 1) t
        """

    @Test("A key that occurs once in each of two tenants is not a doubled key")
    func proven() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(WrongDirectory.view("administrator", from: Self.ofBothTenants))
            let found = try await WrongRows.find(
                as: "adminexport_worker", reading: .snapshot, on: database.connect())
            #expect(found.faults.isEmpty && found.unread.isEmpty)
            #expect(await Self.fault(database) == "8 rows")
        }
    }

    @Test(
        "Links to the same person's account in another tenant are not unresolved references; other links to that tenant are")
    func elsewhere() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(WrongDirectory.view("administrator", from: Self.ofBothTenants))
            try await database.execute(
                """
                INSERT INTO directory.administrator_secondary_group VALUES (1, 5), (2, 5);
                INSERT INTO directory.administrator_team VALUES (1, 3), (3, 3)
                """)
            let pool = database.pool()
            let keys = try await pool.withConnection { try await KeyTypes.load($0) }
            for (tenant, actor, counts) in [("1", "1", [4, 2]), ("2", "10", [5, 5])] {
                let found = try await Snapshot.read(
                    actor: .keys(tenant: tenant, actor: actor), includeDisabled: true, keys: keys, pool: pool,
                    role: "adminexport_worker"
                ) { snapshot, pages in
                    var unresolved = 0
                    for await page in pages { unresolved += try page.forEachRow(snapshot.references) { _ in }.unresolved }
                    return [unresolved, try await pages.linksElsewhere()]
                }
                #expect(found == counts, "tenant \(tenant)")
            }
        }
    }
}
