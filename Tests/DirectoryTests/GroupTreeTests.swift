@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct GroupTreeTests {
    /// The name and path of each group, in the order of the tree.
    private func groups(_ sql: String = "", actor: String = "1") async throws -> [[String]] {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            if !sql.isEmpty { try await database.execute(sql) }
            let pool = database.pool()
            let keys = try await pool.withConnection { try await KeyTypes.load($0) }
            return try await Snapshot.read(
                actor: .keys(tenant: "1", actor: actor), includeDisabled: false, includeGroupTree: true, keys: keys,
                pool: pool,
                role: "adminexport_worker"
            ) { snapshot, pages in
                for await _ in pages {}
                var result: [[String]] = []
                snapshot.groupTree?.forEachGroup { name, path in
                    result.append([String(utf8: name), String(utf8: path)])
                }
                return result
            }
        }
    }

    @Test(
        "A parent precedes its children, siblings follow code point order, and a name with a slash or quote is quoted in the path"
    )
    func order() async throws {
        let result = try await groups(
            """
            INSERT INTO directory.administrator_group (id, tenant_id, name, parent_id) OVERRIDING SYSTEM VALUE VALUES
                (10, 1, 'Île', 2), (11, 1, 'Zone A/B', 2), (12, 1, 'a', 1), (13, 1, 'Asia', 4)
            """)
        #expect(
            result == [
                ["Asia", "Asia"], ["Asia", "Asia / Asia"], ["Europe", "Europe"], ["France", "Europe / France"],
                ["Paris, \"City\"", "Europe / France / \"Paris, \"\"City\"\"\""],
                ["Zone A/B", "Europe / France / \"Zone A/B\""],
                ["Île", "Europe / France / Île"], ["a", "Europe / a"],
            ])
    }

    @Test("An actor with group scope sees their groups and the groups below, but no group above and no other tenant's")
    func scope() async throws {
        let move = "UPDATE directory.administrator SET main_group_id = 2 WHERE id = 2; "
        #expect(
            try await groups(move, actor: "2") == [
                ["France", "France"], ["Paris, \"City\"", "France / \"Paris, \"\"City\"\"\""],
            ])
        #expect(try await groups("UPDATE directory.administrator_group SET parent_id = 1 WHERE id = 5").count == 4)
        #expect(try await groups("UPDATE directory.administrator SET main_group_id = NULL WHERE id = 2", actor: "2").isEmpty)
    }

    @Test("A cycle is shown after the other groups, with each of its groups once")
    func cycles() async throws {
        #expect(
            try await groups("UPDATE directory.administrator_group SET parent_id = 3 WHERE id = 1") == [
                ["Asia", "Asia"], ["Europe", "Europe"], ["France", "Europe / France"],
                ["Paris, \"City\"", "Europe / France / \"Paris, \"\"City\"\"\""],
            ])
        // A group below a cycle is shown below it, whatever its name.
        let hanging = try await groups(
            """
            INSERT INTO directory.administrator_group (id, tenant_id, name, parent_id) OVERRIDING SYSTEM VALUE VALUES
                (10, 1, 'A', 2), (11, 1, 'Z', 12), (12, 1, 'Y', 11), (13, 1, 'B', 12);
            UPDATE directory.administrator_group SET parent_id = 3 WHERE id = 1
            """)
        #expect(
            hanging.map { $0[1] } == [
                "Asia", "Europe", "Europe / France", "Europe / France / A",
                "Europe / France / \"Paris, \"\"City\"\"\"", "Y", "Y / B", "Y / Z",
            ])
        let alone = try await groups("UPDATE directory.administrator_group SET parent_id = id WHERE id = 4")
        #expect(alone.last == ["Asia", "Asia"] && alone.count == 4)
    }

    @Test("A tree of 5,000 levels is read completely")
    func depth() async throws {
        let result = try await groups(
            """
            INSERT INTO directory.administrator_group (id, tenant_id, name, parent_id) OVERRIDING SYSTEM VALUE
                SELECT i, 1, 'd', CASE WHEN i > 1000 THEN i - 1 END FROM generate_series(1000, 5999) i
            """)
        #expect(result.count == 5_004)
        #expect(result.last?[1].utf8.count == 5_000 + 4_999 * 3)
    }
}
