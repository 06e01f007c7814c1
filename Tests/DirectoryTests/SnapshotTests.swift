@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct SnapshotTests {

    private func rows(
        _ actor: String = "1", tenant: String = "1", disabled: Bool = false, in database: TestDatabase, connections: Int = 4
    ) async throws -> [[String]] {
        let pool = database.pool(size: connections)
        let keys = try await pool.withConnection { try await KeyTypes.load($0) }
        return try await Snapshot.read(
            actor: .keys(tenant: tenant, actor: actor), includeDisabled: disabled, keys: keys, pool: pool,
            role: "adminexport_worker"
        ) { snapshot, pages in
            var result: [[String]] = []
            for await page in pages {
                _ = try page.forEachRow(snapshot.references) { row in
                    func day(_ day: AdministratorRow.Day?) -> String {
                        switch day {
                        case .date(let days): "\(days)"
                        case .infinity: "infinity"
                        case .minusInfinity: "-infinity"
                        case nil: "-"
                        }
                    }
                    var values: [String] = []
                    row.forEachText { text in
                        if let text { values.append(String(utf8: text)) } else { values.append("-") }
                    }
                    result.append(values + [day(row.created), day(row.updated), "\(row.isEnabled)"])
                }
            }
            #expect(result.count == snapshot.rowsTotal)
            return result
        }
    }

    @Test("The owner sees every enabled administrator of the tenant and nobody of another tenant")
    func tenantScope() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let rows = try await rows(in: database)
            #expect(rows.map { $0[1].split(separator: "@")[0] } == ["owner", "europe", "nobody", "paris", "asia", "tokyo"])
            // 20,385 is 2025-10-24; the lists are sorted by code point, and the quoted name is sorted by its raw form.
            #expect(
                rows[0] == [
                    "John Smith", "owner@acme.example", "+33 6 12 34 56 78", "Super Administrator", "-",
                    "Europe, France, \"Paris, \"\"City\"\"\"", "EMEA, Support", "20385", "20595", "true",
                ])
            // 23:30 UTC on 31 January is 1 February in Paris; 22:30 UTC on 30 June is 1 July.
            #expect(rows[1][7...8] == ["20120", "20635"])
            let withDisabled = try await self.rows(disabled: true, in: database)
            #expect(withDisabled.map { $0[9] } == ["true", "true", "true", "false", "true", "true", "true", "false"])
        }
    }

    @Test("An actor with group scope sees the members of their groups and of the groups below, by main or secondary group")
    func groupScope() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            #expect(
                try await rows("2", in: database).map { $0[1].split(separator: "@")[0] } == [
                    "owner", "europe", "nobody", "paris", "asia",
                ])
            #expect(try await rows("2", disabled: true, in: database).count == 6)
            // A cycle does not keep the query from ending; a group of another tenant is neither a root nor a descendant.
            try await database.execute("UPDATE directory.administrator_group SET parent_id = 3 WHERE id = 1")
            try await database.execute("UPDATE directory.administrator_group SET parent_id = 1 WHERE id = 5")
            #expect(try await rows("2", in: database).count == 5)
            // Without a group, the actor sees nobody.
            try await database.execute("UPDATE directory.administrator SET main_group_id = NULL WHERE id = 2")
            #expect(try await rows("2", in: database).isEmpty)
        }
    }

    /// The main group and the secondary groups of each row that europe@ reads while other groups are hidden, and the missing names.
    private func groupsWithoutOthers(_ database: TestDatabase) async throws -> (rows: [[String]], missing: MissingNames) {
        let pool = database.pool(size: 4)
        let keys = try await pool.withConnection { try await KeyTypes.load($0) }
        return try await Snapshot.read(
            actor: .keys(tenant: "1", actor: "2"), includeDisabled: false, otherGroups: .hide, keys: keys, pool: pool,
            role: "adminexport_worker"
        ) { snapshot, pages in
            var rows: [[String]] = []
            var missing = MissingNames()
            for await page in pages {
                missing =
                    try missing
                    + page.forEachRow(snapshot.references) { row in
                        var texts: [String] = []
                        row.forEachText { text in
                            if let text { texts.append(String(utf8: text)) } else { texts.append("-") }
                        }
                        rows.append([texts[4], texts[5]])
                    }
            }
            return (rows, missing)
        }
    }

    @Test(
        "While other groups are hidden, the rows of an actor with group scope name the groups of the scope only, and the others are counted",
        arguments: [0, 1_500, 25_000])
    func hiddenGroups(others: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            // The last group has no name: nobody asks for it. With many groups or rows, other statements read them.
            try await database.execute(
                """
                INSERT INTO directory.administrator_secondary_group VALUES (3, 4), (5, 4), (5, 2), (5, 1);
                ALTER TABLE directory.administrator_group ALTER name DROP NOT NULL;
                INSERT INTO directory.administrator_group (id, tenant_id, name)
                SELECT n + 100, 1, 'Aa ' || n FROM generate_series(1, \(min(others, 1_500))) AS n;
                INSERT INTO directory.administrator_group (id, tenant_id, name) VALUES (100, 1, NULL);
                INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, main_group_id)
                SELECT n + 100, 1, 'x', 'x', 3, 2 FROM generate_series(1, \(others > 1_500 ? others : 0)) AS n
                """)
            let (rows, missing) = try await groupsWithoutOthers(database)
            // Owner has three groups of the scope; nobody and paris are in Asia, too; asia has it as the main group.
            #expect(
                rows.prefix(5) == [
                    ["-", "Europe, France, \"Paris, \"\"City\"\"\""], ["Europe", ""], ["Europe", ""],
                    ["Paris, \"City\"", "Europe, France"], ["-", "\"Paris, \"\"City\"\"\""],
                ])
            #expect(missing.hidden == 3 && missing.unresolved == 0)
        }
    }

    @Test("Reading a snapshot checks the actor's permission")
    func permission() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            await #expect(throws: DirectoryError.denied(.noPermission)) { _ = try await rows("3", in: database) }
            await #expect(throws: DirectoryError.denied(.disabled)) { _ = try await rows("4", in: database) }
            // The key of an actor in one tenant names nobody in another tenant.
            await #expect(throws: DirectoryError.denied(.unknownAdministrator)) {
                _ = try await rows("1", tenant: "2", in: database)
            }
        }
    }

    @Test("A time zone that PostgreSQL does not know, or interprets in an unexpected way, is refused")
    func timeZone() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            for zone in [
                "Europe/Pariss", "", " ", "UTC+2", "Mars5", "5", "-3.5", "INTERVAL '+02:00' HOUR TO MINUTE", "../etc",

            ] {
                let quoted = zone.replacing("'", with: "''")
                try await database.execute("UPDATE directory.tenant SET time_zone = '\(quoted)'")
                await #expect(throws: DirectoryError.unknownTimeZone(zone)) { _ = try await rows(in: database) }
            }
            try await database.execute(
                "UPDATE directory.tenant SET time_zone = 'a' || repeat(U&'\\0301', 500000) || E'\\n'")
            await #expect(throws: DirectoryError.unknownTimeZone("a" + String(repeating: "\u{301}", count: 63) + "...")) {
                _ = try await rows(in: database)
            }
            try await database.execute("UPDATE directory.tenant SET time_zone = U&'Mars\\009b31m' || E'\\n'")
            await #expect(throws: DirectoryError.unknownTimeZone("Mars\\u{009B}31m\\n")) { _ = try await rows(in: database) }
            // A mark that combines with a digit does not hide it.
            try await database.execute("UPDATE directory.tenant SET time_zone = U&'Mars\\06005'")
            await #expect(throws: DirectoryError.unknownTimeZone("Mars\\u{0600}5")) { _ = try await rows(in: database) }
            try await database.execute("UPDATE directory.tenant SET time_zone = 'interval ''x'''")
            await #expect(throws: DirectoryError.unknownTimeZone("interval 'x'")) { _ = try await rows(in: database) }
            for zone in ["UTC", "Etc/GMT+5", "EST5EDT", "america/new_york"] {
                try await database.execute("UPDATE directory.tenant SET time_zone = '\(zone)'")
                #expect(try await rows(in: database).count == 6)
            }
            try await database.execute(
                "ALTER TABLE directory.tenant ALTER time_zone DROP NOT NULL; UPDATE directory.tenant SET time_zone = NULL")
            await #expect(throws: DirectoryError.unknownTimeZone("")) { _ = try await rows(in: database) }
        }
    }

    private static let moments: [(zone: String, moment: String, day: Int)] = [
        // 9 March 2025, 2:00 to 3:00, and 2 November, 2:00 to 1:00.
        ("America/New_York", "2025-03-09 04:59:59Z", 20_155), ("America/New_York", "2025-03-09 05:00Z", 20_156),
        ("America/New_York", "2025-03-10 03:59:59Z", 20_156), ("America/New_York", "2025-03-10 04:00Z", 20_157),
        ("America/New_York", "2025-11-02 03:59:59Z", 20_393), ("America/New_York", "2025-11-02 04:00Z", 20_394),
        ("America/New_York", "2025-11-03 04:59:59Z", 20_394), ("America/New_York", "2025-11-03 05:00Z", 20_395),
        ("Europe/Paris", "2025-03-29 22:59:59Z", 20_176), ("Europe/Paris", "2025-03-29 23:00Z", 20_177),
        ("Europe/Paris", "2025-03-30 21:59:59Z", 20_177), ("Europe/Paris", "2025-03-30 22:00Z", 20_178),
        // An offset of 45 minutes, half an hour of summer time, a skipped day, and a change at midnight.
        ("Asia/Kathmandu", "2025-01-01 18:14:59Z", 20_089), ("Asia/Kathmandu", "2025-01-01 18:15Z", 20_090),
        ("Australia/Lord_Howe", "2025-01-01 12:59:59Z", 20_089), ("Australia/Lord_Howe", "2025-01-01 13:00Z", 20_090),
        ("Pacific/Apia", "2011-12-30 09:59:59Z", 15_337), ("Pacific/Apia", "2011-12-30 10:00Z", 15_339),
        ("America/Sao_Paulo", "2018-11-04 02:59:59Z", 17_838), ("America/Sao_Paulo", "2018-11-04 03:00Z", 17_839),
        // The ends of Excel's calendar and beyond.
        ("UTC", "1900-02-28 12:00Z", -25_509), ("UTC", "1900-03-01 00:00Z", -25_508),
        ("UTC", "9999-12-31 23:59:59Z", 2_932_896),
        ("UTC", "10000-01-01 00:00Z", 2_932_897), ("UTC", "0001-01-01 00:00Z", -719_162),
        ("UTC", "0044-03-15 00:00Z BC", -735_160),
    ]

    @Test("A time is exported as the day in the tenant's time zone, on both sides of each clock change")
    func days() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            for (zone, moment, day) in Self.moments {
                try await database.execute(
                    """
                    UPDATE directory.tenant SET time_zone = '\(zone)';
                    UPDATE directory.administrator SET created_at = '\(moment)', updated_at = '\(moment)' WHERE id = 1
                    """)
                #expect(try await rows(in: database)[0][7...8] == ["\(day)", "\(day)"], "\(zone) \(moment)")
            }
        }
    }

    @Test("PostgreSQL refuses NUL characters, so a snapshot contains none")
    func noNUL() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let connection = try await database.connect()
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query(
                    Query("nul", "UPDATE directory.administrator SET name = $1", [.text("a\u{0}b")]))
            }
            #expect(error?.sqlState == "22021")
            await #expect(throws: PostgresError.self) {
                try await connection.query(Query("nul", "UPDATE directory.administrator SET name = 'a' || chr(0)"))
            }
        }
    }

    @Test("Invalid bytes of a SQL_ASCII database become U+FFFD, and a text longer than a cell is cut between characters")
    func sqlASCII() async throws {
        try await TestDatabase.with(encoding: "SQL_ASCII") { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                """
                UPDATE directory.administrator SET name = E'caf\\xe9 \\xf0\\x9f\\x98 end' WHERE id = 1;
                UPDATE directory.administrator SET name = repeat(E'\\xe4\\xb8\\xad', 40000) WHERE id = 2
                """)
            let rows = try await rows(in: database)
            #expect(rows[0][0] == "caf\u{FFFD} \u{FFFD} end")
            // 98,304 bytes are one character more than a cell holds.
            #expect(rows[1][0] == String(repeating: "中", count: 32_768))
            #expect(rows[3][0] == "محمد")
        }
    }

    @Test("Infinite dates are recognized")
    func infinity() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                "UPDATE directory.administrator SET created_at = '-infinity', updated_at = 'infinity' WHERE id = 1")
            #expect(try await rows(in: database)[0][7...8] == ["-infinity", "infinity"])
        }
    }

    /// The report of `Benchmarks/report.sql` with correlated subqueries, which would be too slow for a million rows.
    private static let plain = """
        SELECT array[coalesce(a.name, '-'), coalesce(a.email, '-'), coalesce(a.phone, '-'), coalesce(p.name, '-'), coalesce(g.name, '-'),
            coalesce((SELECT string_agg(CASE WHEN n.name ~ '[,"]' THEN '"' || replace(n.name, '"', '""') || '"' ELSE n.name END, ', '
                      ORDER BY n.name COLLATE "C") FROM directory.administrator_secondary_group l
                      JOIN directory.administrator_group n ON n.id = l.group_id WHERE l.administrator_id = a.id), ''),
            coalesce((SELECT string_agg(CASE WHEN n.name ~ '[,"]' THEN '"' || replace(n.name, '"', '""') || '"' ELSE n.name END, ', '
                      ORDER BY n.name COLLATE "C") FROM directory.administrator_team l
                      JOIN directory.team n ON n.id = l.team_id WHERE l.administrator_id = a.id), ''),
            ((a.created_at AT TIME ZONE t.time_zone)::date - date '1970-01-01')::text,
            ((a.updated_at AT TIME ZONE t.time_zone)::date - date '1970-01-01')::text, (a.status = 'enabled')::text] AS row
        FROM directory.administrator a JOIN directory.tenant t ON t.id = a.tenant_id
        LEFT JOIN directory.profile p ON p.id = a.profile_id LEFT JOIN directory.administrator_group g ON g.id = a.main_group_id
        WHERE t.slug = 'acme' ORDER BY a.id
        """

    /// Fills the tenant with numbered administrators, each with up to three groups and teams.
    private static func many(_ count: Int) -> String {
        """
        INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, main_group_id)
            SELECT i, 1, 'Name ' || i || repeat('x', i % 50), i || '@acme.example', 3, 1 + i % 4 FROM generate_series(100, 99 + \(count)) i;
        INSERT INTO directory.administrator_secondary_group
            SELECT i, 1 + (i + k) % 4 FROM generate_series(100, 99 + \(count)) i, generate_series(1, i % 4) k;
        INSERT INTO directory.administrator_team SELECT i, 1 + i % 2 FROM generate_series(100, 99 + \(count)) i WHERE i % 3 = 0;
        ANALYZE
        """
    }

    @Test(
        "The pages of any number of administrators contain the same rows as a plain SQL query",
        arguments: [0, 991, 992, 993, 12_345])
    func pages(_ count: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            if count > 0 { try await database.execute(Self.many(count)) }
            let expected = try await database.connect().query(Query("plain", Self.plain)).map {
                try $0.decode("row", as: [String].self)
            }
            let rows = try await rows(disabled: true, in: database)
            #expect(rows.count == count + 8)
            #expect(rows == expected)
        }
    }

    @Test(
        "Rows are correct with as many links as one prepared statement reads, and with one more", arguments: [4_000, 4_001])
    func fewWithManyLinks(_ links: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(
                """
                DELETE FROM directory.administrator_secondary_group;
                INSERT INTO directory.administrator_group (id, tenant_id, name)
                    SELECT 1000 + g, 1, 'G' || g FROM generate_series(0, 99) g;
                INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id)
                    SELECT i, 1, 'Name ' || i, i || '@acme.example', 3 FROM generate_series(100, 199) i;
                INSERT INTO directory.administrator_secondary_group
                    SELECT 100 + n / 100, 1000 + n % 100 FROM generate_series(0, \(links - 1)) n
                """)
            let expected = try await database.connect().query(Query("plain", Self.plain)).map {
                try $0.decode("row", as: [String].self)
            }
            #expect(try await rows(disabled: true, in: database) == expected)
        }
    }

    @Test("Many administrators are read over two connections, or over one if there is no second", arguments: [1, 2])
    func connections(_ count: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.many(20_050))
            let expected = try await database.connect().query(Query("plain", Self.plain)).map {
                try $0.decode("row", as: [String].self)
            }
            #expect(try await rows(disabled: true, in: database, connections: count) == expected)
            // The same for an actor with group scope: both connections need the list of groups.
            let some = try await rows("2", disabled: true, in: database, connections: count)
            #expect(some.count > 5_000 && some.count < expected.count && Set(expected).isSuperset(of: some))
        }
    }

    @Test("If the consumer of the pages throws, both readers end and their connections remain usable", arguments: [0, 3])
    func giveUp(_ pages: Int) async throws {
        struct Enough: Error {}
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.many(25_000))
            let pool = database.pool(size: 2)
            let keys = try await pool.withConnection { try await KeyTypes.load($0) }
            for _ in 0..<3 {
                await #expect(throws: Enough.self) {
                    try await Snapshot.read(
                        actor: .keys(tenant: "1", actor: "1"), includeDisabled: true, keys: keys, pool: pool,
                        role: "adminexport_worker"
                    ) { _, stream in
                        var left = pages
                        for await _ in stream where left > 0 {
                            left -= 1
                            if left == 0 { break }
                        }
                        throw Enough()
                    }
                }
            }
            #expect(try await rows(disabled: true, in: database).count == 25_008)
        }
    }

    @Test("All rows of a page are read if their links exceed the memory limit", .timeLimit(.minutes(10)))
    func manyLinks() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            // 2,000 administrators with 400 groups each: 26 bytes a link make 20 MiB.
            try await database.execute(
                """
                INSERT INTO directory.administrator_group (id, tenant_id, name)
                    SELECT 1000 + g, 1, 'G' || g FROM generate_series(1, 400) g;
                INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id)
                    SELECT i, 1, 'Name ' || i, i || '@acme.example', 3 FROM generate_series(100, 2099) i;
                INSERT INTO directory.administrator_secondary_group
                    SELECT i, 1000 + g FROM generate_series(100, 2099) i, generate_series(1, 400) g
                """)
            let rows = try await rows(disabled: true, in: database)
            #expect(rows.count == 2_008)
            let groups = Set(rows.dropFirst(8).map { $0[5].split(separator: ",").count })
            #expect(groups == [400])
            #expect(rows.dropFirst(8).map { $0[0] } == (100...2_099).map { "Name \($0)" })
        }
    }

    @Test("All rows with long names are read")
    func longNames() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.many(2_500))
            try await database.execute("UPDATE directory.administrator SET name = repeat('é', 40000) WHERE id > 800")
            let rows = try await rows(disabled: true, in: database)
            #expect(rows.count == 2_508)
            #expect(rows.last?[0].count == 40_000)
        }
    }

    @Test("All rows are read if a few administrators have very long names")
    func fewLongNames() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.many(300))
            // 300 times 160 KB is more than one page may contain.
            try await database.execute(
                "UPDATE directory.administrator SET name = repeat('é', 40000), phone = repeat('é', 40000) || id WHERE id > 99"
            )
            let rows = try await rows(disabled: true, in: database)
            #expect(rows.count == 308)
            #expect(rows.dropFirst(8).allSatisfy { $0[0].count == 40_000 })
        }
    }

    @Test("An e-mail column of type char is refused, because it compares differently; varchar is accepted")
    func textTypes() async throws {
        try await TestDatabase.with { database in
            try await database.execute("ALTER TABLE directory.administrator ALTER email TYPE varchar(300)")
            _ = try await database.pool().withConnection { try await KeyTypes.load($0) }
            try await database.execute("ALTER TABLE directory.administrator ALTER email TYPE char(300)")
            let error = await #expect(throws: DirectoryError.self) {
                _ = try await database.pool().withConnection { try await KeyTypes.load($0) }
            }
            #expect("\(String(describing: error))".contains("administrator.email"))
        }
    }

    @Test("A reference to another tenant's group does not show the name of that group")
    func unresolved() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute("UPDATE directory.administrator SET main_group_id = 5 WHERE id = 3")
            let rows = try await rows(in: database)
            #expect(rows[2][4] == "-")
        }
    }

    @Test("Keys may be bigint, uuid or text, and views may replace the tables", arguments: ["bigint", "uuid", "text"])
    func keyTypes(_ type: String) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.many(3_000))
            let expected = try await rows(disabled: true, in: database).sorted { $0[1] < $1[1] }
            try await database.execute(Self.platform(type))
            let actor = try await database.text(
                "SELECT id FROM directory.administrator WHERE email = 'owner@acme.example' AND name = 'John Smith' AND profile_id = (SELECT id FROM directory.profile WHERE name = 'Super Administrator' AND tenant_id = (SELECT id FROM directory.tenant WHERE slug = 'acme'))"
            )
            let tenant = try await database.text("SELECT id FROM directory.tenant WHERE slug = 'acme'")
            let rows = try await rows(try #require(actor), tenant: try #require(tenant), disabled: true, in: database)
            #expect(rows.sorted { $0[1] < $1[1] } == expected)
        }
    }

    /// Replaces the tables by views whose keys have another type and another order.
    private static func platform(_ type: String) -> String {
        let key: (String) -> String = { column in
            switch type {
            case "uuid": "md5((\(column))::text)::uuid"
            case "text": "('k' || (\(column))::text)"
            default: "(\(column))"
            }
        }
        func copy(_ table: String, keys: [String], others: [String]) -> String {
            let columns = keys.map { "\(key($0)) AS their_\($0)" } + others.map { "\($0) AS their_\($0)" }
            let view = (keys + others).map { "their_\($0) AS \($0)" }
            return """
                CREATE TABLE platform.\(table)_rows AS SELECT \(columns.joined(separator: ", ")) FROM directory.\(table);
                DROP TABLE directory.\(table) CASCADE;
                CREATE VIEW directory.\(table) AS SELECT \(view.joined(separator: ", ")) FROM platform.\(table)_rows;
                GRANT SELECT ON directory.\(table) TO adminexport_api, adminexport_worker;
                """
        }
        return """
            CREATE SCHEMA platform AUTHORIZATION adminexport_owner;
            SET ROLE adminexport_owner;
            \(copy("administrator_team", keys: ["administrator_id", "team_id"], others: []))
            \(copy("administrator_secondary_group", keys: ["administrator_id", "group_id"], others: []))
            \(copy(
                "administrator", keys: ["id", "tenant_id", "profile_id", "main_group_id"],
                others: ["name", "email", "phone", "status", "created_at", "updated_at"]))
            \(copy("team", keys: ["id", "tenant_id"], others: ["name"]))
            \(copy("administrator_group", keys: ["id", "tenant_id", "parent_id"], others: ["name"]))
            \(copy("profile", keys: ["id", "tenant_id"], others: ["name", "permissions", "scope"]))
            \(copy("tenant", keys: ["id"], others: ["slug", "name", "time_zone"]))
            CREATE INDEX ON platform.administrator_rows (their_tenant_id, their_id);
            RESET ROLE;
            ANALYZE
            """
    }

    @Test("A reference whose type differs from its key, a key of an unsupported type, and a missing column are named")
    func contract() async throws {
        try await TestDatabase.with { database in
            func fault(_ sql: String) async throws -> DirectoryError? {
                try await database.execute(sql)
                let connection = try await database.connect()
                return await #expect(throws: DirectoryError.self) { _ = try await KeyTypes.load(connection) }
            }
            let type = try await fault(
                "ALTER TABLE directory.administrator_team DROP COLUMN team_id, ADD COLUMN team_id text")
            #expect("\(type as Any)".contains("administrator_team.team_id is text"))
            let missing = try await fault("ALTER TABLE directory.administrator_team DROP COLUMN team_id")
            #expect("\(missing as Any)".contains("directory.administrator_team.team_id does not exist"))
            let kind = try await fault("ALTER TABLE directory.administrator_team ADD COLUMN team_id int")
            #expect("\(kind as Any)".contains("is integer"))
        }
    }
}

extension String {
    init(utf8 span: Span<UInt8>) {
        self.init(decoding: span.indices.map { span[$0] }, as: UTF8.self)
    }
}
