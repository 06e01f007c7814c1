@testable import Directory
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ContractTests {

    // MARK: Types

    struct Case: Sendable, CustomTestStringConvertible {
        let column: String
        let expression: String
        /// The expected remedy; nil if the column works.
        let remedy: String?

        init(_ column: String, _ expression: String, _ remedy: String?) {
            self.column = column
            self.expression = expression
            self.remedy = remedy
        }

        var testDescription: String { "\(column) as \(expression)" }
        var relation: String { String(column.prefix { $0 != "." }) }
        var name: String { String(column.drop { $0 != "." }.dropFirst()) }
    }

    static let cases = [
        // Days.
        Case("administrator.created_at", "t.created_at::timestamp", "created_at AT TIME ZONE 'UTC'"),
        Case("administrator.updated_at", "t.updated_at::timestamp(3)", "updated_at AT TIME ZONE 'UTC'"),
        Case("administrator.created_at", "t.created_at::date", "created_at::timestamp AT TIME ZONE 'UTC'"),
        Case("administrator.created_at", "t.created_at::text", "created_at::timestamptz"),
        Case("administrator.updated_at", "extract(epoch FROM t.updated_at)::bigint", "to_timestamp(updated_at)"),
        Case("administrator.updated_at", "t.updated_at::time", "updated_at::timestamptz"),
        Case("administrator.created_at", "t.created_at::platform.moment", nil),
        Case("administrator.created_at", "t.created_at::platform.local_moment", "AT TIME ZONE 'UTC'"),
        Case("administrator.created_at", "t.created_at::timestamptz(0)", nil),
        // Status.
        Case("administrator.status", "t.status = 'enabled'", "CASE WHEN status THEN 'enabled' ELSE 'disabled' END"),
        Case("administrator.status", "(t.status = 'enabled')::int", "CASE WHEN status = 1 THEN 'enabled'"),
        Case("administrator.status", "t.status::platform.status", nil),
        Case("administrator.status", "'active'::platform.other_status", "CASE WHEN status::text = 'active'"),
        Case("administrator.status", "t.status::varchar(10)", nil), Case("administrator.status", "t.status::char(10)", nil),
        Case("administrator.status", "to_jsonb(t.status)", "CASE WHEN"),
        // Permissions and scope.
        Case("profile.permissions", "to_jsonb(t.permissions)", "ARRAY(SELECT jsonb_array_elements_text(permissions))"),
        Case("profile.permissions", "to_json(t.permissions)", "ARRAY(SELECT json_array_elements_text(permissions))"),
        Case("profile.permissions", "array_to_string(t.permissions, ',')", "string_to_array(permissions, ',')"),
        Case("profile.permissions", "ARRAY[1, 2]", "permissions::text[]"),
        Case("profile.permissions", "ARRAY['{}'::jsonb]", "permissions::text[]"),
        Case("profile.permissions", "t.permissions::varchar(40)[]", nil),
        Case("profile.permissions", "t.permissions::platform.texts", nil),
        Case("profile.permissions", "t.permissions::platform.permission[]", nil),
        Case("profile.scope", "t.scope = 'tenant'", "CASE WHEN scope THEN 'tenant' ELSE 'groups' END"),
        Case("profile.scope", "t.scope::platform.scope", nil), Case("profile.scope", "t.scope::char(20)", nil),
        // Texts that an export shows.
        Case("administrator.name", "convert_to(t.name, 'UTF8')", "convert_from(name, 'UTF8')"),
        Case("administrator.name", "to_jsonb(t.name)", "name #>> '{}'"),
        Case("administrator.name", "ARRAY[t.name]", "array_to_string(name, ', ')"),
        Case("administrator.name", "ROW(t.name, 1)::platform.pair", "name::text"),
        Case("administrator.phone", "true", "phone::text"),
        Case("team.name", "now()", "name::text"), Case("profile.name", "convert_to(t.name, 'UTF8')", "convert_from"),
        Case("administrator_group.name", "to_json(t.name)", "name #>> '{}'"),
        Case("tenant.time_zone", "interval '1 hour'", "time_zone::text"),
        Case("administrator.name", "t.name::varchar(300)", nil), Case("administrator.name", "t.name::char(60)", nil),
        Case("administrator.name", "t.name::platform.label", nil), Case("administrator.name", "t.name::name", nil),
        Case("administrator.phone", "33612345678", nil), Case("team.name", "t.name::platform.label", nil),
        // Texts that statements compare.
        Case("administrator.email", "t.email::char(300)", "email::text"),
        Case("administrator.email", "t.email::platform.label", "email::text"),
        Case("administrator.email", "t.email::varchar(300)", nil), Case("tenant.slug", "t.slug::name", "slug::text"),
        // Keys.
        Case("team.id", "t.id::int", "id::bigint"), Case("team.id", "t.id::numeric", "id::bigint"),
        Case("administrator_team.team_id", "t.team_id::text", "team_id::bigint"),
        Case("administrator.profile_id", "t.profile_id::text::varchar(20)", "profile_id::text"),
        Case("administrator.tenant_id", "t.tenant_id::platform.number", "tenant_id::bigint"),
        Case("administrator_group.parent_id", "t.parent_id::numeric", "parent_id::bigint"),
    ]

    private static let types = """
        CREATE SCHEMA platform;
        GRANT USAGE ON SCHEMA platform TO PUBLIC;
        CREATE DOMAIN platform.moment AS timestamptz;
        CREATE DOMAIN platform.local_moment AS timestamp;
        CREATE DOMAIN platform.label AS text CHECK (value <> '');
        CREATE DOMAIN platform.texts AS text[];
        CREATE DOMAIN platform.number AS bigint;
        CREATE TYPE platform.pair AS (first text, second int);
        CREATE TYPE platform.status AS ENUM ('enabled', 'disabled');
        CREATE TYPE platform.other_status AS ENUM ('active', 'inactive');
        CREATE TYPE platform.scope AS ENUM ('tenant', 'groups');
        CREATE TYPE platform.permission AS ENUM ('administrators.view', 'tickets.view')
        """

    @Test(
        "A column of a wrong type is reported with the cast that repairs it; a column of a usable type is accepted and read")
    func types() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await database.execute(Self.types)
            for wrong in Self.cases {
                let view = WrongDirectory.view(wrong.relation, [wrong.name: wrong.expression])
                try await database.execute(view)
                let faults = try await WrongDirectory.inspect(database).faults
                if let remedy = wrong.remedy {
                    let first = try #require(
                        faults.first { $0.problem.contains("directory.\(wrong.column) is ") }, "\(wrong)")
                    #expect(first.remedy.contains(remedy) && first.remedy.contains("in the view"), "\(wrong): \(first)")
                    #expect(!first.mayPass && faults.allSatisfy { $0.problem.contains(wrong.name) }, "\(wrong): \(faults)")
                } else {
                    #expect(faults.isEmpty, "\(wrong): \(faults)")
                    #expect(try await Self.count(database) == 6, "\(wrong)")
                }
                try await database.execute(
                    """
                    DROP VIEW directory.\(wrong.relation);
                    ALTER TABLE platform.\(wrong.relation) SET SCHEMA directory;
                    GRANT SELECT ON directory.\(wrong.relation) TO adminexport_api, adminexport_worker
                    """)
            }
        }
    }

    private static func count(_ database: TestDatabase) async throws -> Int {
        let pool = database.pool(size: 1)
        let keys = try await pool.withConnection { try await KeyTypes.load($0) }
        return try await Snapshot.read(
            actor: .keys(tenant: "1", actor: "1"), includeDisabled: false, includeGroupTree: true, keys: keys, pool: pool,
            role: "adminexport_worker"
        ) { _, pages in
            var count = 0
            for await page in pages { count += page.count }
            return count
        }
    }

    @Test("The remedy for a table is a statement that repairs it")
    func tables() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            for (column, type) in [
                ("created_at", "timestamp"), ("updated_at", "date"), ("created_at", "text"),
                ("name", "bytea USING name::bytea"),
                ("email", "char(60)"),
            ] {
                try await database.execute(
                    """
                    ALTER TABLE directory.administrator ALTER \(column) DROP DEFAULT;
                    ALTER TABLE directory.administrator ALTER \(column) TYPE \(type)
                    """)
                let faults = try await WrongDirectory.inspect(database).faults
                #expect(faults.count == 1, "\(column) \(type): \(faults)")
                try await database.execute(try #require(faults.first).remedy)
                let left = try await WrongDirectory.inspect(database).faults
                #expect(left.isEmpty, "\(left)")
            }
        }
    }

    @Test("Each missing relation and each missing column is named, and nothing else is reported")
    func missing() async throws {
        for relation in ContractColumn.relations {
            try await TestDatabase.with { database in
                try await database.execute("ALTER TABLE directory.\(relation) RENAME TO gone")
                let faults = try await WrongDirectory.inspect(database).faults
                #expect(faults.map(\.problem) == ["the relation directory.\(relation) does not exist"] && faults[0].mayPass)
            }
        }
        try await TestDatabase.with { database in
            for column in ContractColumn.all {
                try await database.execute("ALTER TABLE directory.\(column.relation) RENAME \(column.name) TO gone")
                let faults = try await WrongDirectory.inspect(database).faults
                #expect(faults.map(\.problem) == ["the column directory.\(column.label) does not exist"])
                try await database.execute("ALTER TABLE directory.\(column.relation) RENAME gone TO \(column.name)")
            }
            #expect(try await WrongDirectory.inspect(database).faults.isEmpty)
        }
    }

    // MARK: Privileges

    @Test(
        "Each missing column privilege is named, and the statements of a role need all columns of its contract and no other")
    func privileges() async throws {
        try await TestDatabase.with { database in
            for (role, reader) in WrongDirectory.roles {
                let columns = ContractColumn.all.filter { $0.readers.contains(reader) }
                let revoke = ContractColumn.all.map {
                    "REVOKE SELECT (\($0.name)) ON directory.\($0.relation) FROM \(role);"
                }
                let grant = columns.map { "GRANT SELECT (\($0.name)) ON directory.\($0.relation) TO \(role);" }
                try await database.execute((revoke + grant).joined(separator: "\n"))
                #expect(try await WrongDirectory.inspect(database).faults.isEmpty)
                for column in columns {
                    try await database.execute("REVOKE SELECT (\(column.name)) ON directory.\(column.relation) FROM \(role)")
                    let faults = try await WrongDirectory.inspect(database, isExplained: false).faults
                    let fault = try #require(faults.first)
                    #expect(faults.count == 1 && fault.mayPass)
                    #expect(fault.problem == "\(role) may not read directory.\(column.relation) (\(column.name))")
                    let isRefused = try await Self.isRefused(database, role, reader)
                    #expect(isRefused, "no statement of \(role) takes \(column.label)")
                    try await database.execute(String(fault.remedy.prefix { $0 != ";" }))
                }
                #expect(try await WrongDirectory.inspect(database).faults.isEmpty)
            }
            try await database.execute("REVOKE USAGE ON SCHEMA directory FROM adminexport_api")
            #expect(
                try await WrongDirectory.inspect(database).faults.map(\.problem) == [
                    "adminexport_api may not use the schema directory"
                ])
        }
    }

    private static func isRefused(_ database: TestDatabase, _ role: String, _ reader: DirectoryReader) async throws -> Bool {
        let keys = KeyTypes(tenant: .bigint, profile: .bigint, group: .bigint, team: .bigint, administrator: .bigint)
        let statements = reader == .permission ? DirectoryStatements.permission(keys) : DirectoryStatements.snapshot(keys)
        return try await database.pool(size: 1).withTransaction(readOnly: true, role: role) { connection in
            try await connection.query(DirectoryStatements.settings(keys))
            return try await DirectoryInspection.refusal(of: statements, on: connection) != nil
        }
    }

    @Test("The inspection finds no fault in a directory that migrate has created and granted")
    func granted() async throws {
        try await TestDatabase.with { database in
            let inspection = try await WrongDirectory.inspect(database)
            #expect(inspection.faults.isEmpty && inspection.notes.isEmpty && inspection.keys?.administrator == .bigint)
        }
    }

    @Test("A view whose owner lacks a privilege, or whose rows a policy hides, is reported with a remedy that works")
    func hiddenRows() async throws {
        let owner = "platform_owner_\(UInt32.random(in: 0...UInt32.max))"
        let table = "platform.administrator"
        let view = "ALTER VIEW directory.administrator OWNER TO \(owner); GRANT SELECT ON \(table) TO \(owner);"
        let policy = "CREATE POLICY part ON \(table) USING (id < 3); ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY;"
        let invoker = WrongDirectory.view("administrator", options: "security_invoker = true")
        let plain = WrongDirectory.view("administrator")
        let all = "ALTER POLICY part ON \(table) USING (true);"
        let cases: [(sql: String, problem: String, remedies: [String])] = [
            (invoker, "security_invoker", ["ALTER VIEW directory.administrator SET (security_invoker = false)"]),
            (
                plain + view + "REVOKE SELECT ON \(table) FROM \(owner)", "who owns the view",
                ["GRANT SELECT ON \(table) TO \(owner)"]
            ),
            (plain + view + policy, "row-level security of \(table)", ["ALTER ROLE \(owner) BYPASSRLS"]),
            // A policy that shows all rows is reported, too.
            (plain + view + policy + all, "row-level security of \(table)", ["ALTER ROLE \(owner) BYPASSRLS"]),
            (
                plain + view + policy + "ALTER TABLE \(table) OWNER TO \(owner), FORCE ROW LEVEL SECURITY",
                "because it is forced",
                ["ALTER TABLE \(table) NO FORCE ROW LEVEL SECURITY"]
            ),
            (
                invoker + policy + "GRANT SELECT ON \(table) TO adminexport_api, adminexport_worker",
                "row-level security of \(table)",
                ["ALTER ROLE adminexport_api BYPASSRLS", "ALTER ROLE adminexport_worker BYPASSRLS"]
            ),
            (
                """
                CREATE POLICY part ON directory.administrator USING (id < 3);
                ALTER TABLE directory.administrator ENABLE ROW LEVEL SECURITY
                """, "row-level security of directory.administrator applies to adminexport_worker",
                ["ALTER ROLE adminexport_api BYPASSRLS", "ALTER ROLE adminexport_worker BYPASSRLS"]
            ),
        ]
        for (sql, problem, remedies) in cases {
            try await TestDatabase.with { database in
                try await database.execute("CREATE ROLE \(owner)")
                try await database.execute(SmallTenant.sql)
                try await database.execute(sql)
                let faults = try await WrongDirectory.inspect(database, isExplained: false).faults
                #expect(faults.contains { $0.problem.contains(problem) }, "\(problem): \(faults)")
                // PostgreSQL refuses what the inspection reports.
                let isRefused = try await Self.isRefused(database, "adminexport_worker", .snapshot)
                #expect(isRefused, "\(problem)")
                await #expect(throws: PostgresError.self) { _ = try await Self.count(database) }
                for remedy in remedies {
                    let statement = try #require(faults.first { $0.remedy.contains(remedy) }, "\(remedy): \(faults)").remedy
                    // All tests share the service's own roles, so this test does not change them.
                    guard remedies.count == 1 else { continue }
                    try await database.execute(String(statement.firstMatch(of: /^(.*?)(, or .*)?$/)?.1 ?? ""))
                    let left = try await WrongDirectory.inspect(database).faults
                    #expect(left.isEmpty, "\(problem): \(left)")
                    #expect(try await Self.count(database) == 6)
                }
                try await database.execute(
                    """
                    DROP OWNED BY \(owner) CASCADE; DROP ROLE \(owner)
                    """)
            }
        }
    }

    @Test("A foreign table below a view causes a note; a materialized view without data is a fault")
    func notes() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                CREATE SCHEMA platform; CREATE FOREIGN DATA WRAPPER none; CREATE SERVER none FOREIGN DATA WRAPPER none;
                CREATE FOREIGN TABLE platform.squad (id bigint, tenant_id bigint, name text) SERVER none;
                ALTER TABLE directory.team RENAME TO gone;
                CREATE VIEW directory.team AS SELECT * FROM platform.squad;
                GRANT SELECT ON directory.team TO adminexport_worker;
                ALTER TABLE directory.profile SET SCHEMA platform;
                CREATE MATERIALIZED VIEW directory.profile AS SELECT * FROM platform.profile WITH NO DATA;
                GRANT SELECT ON directory.profile TO adminexport_api, adminexport_worker
                """)
            let inspection = try await WrongDirectory.inspect(database, isExplained: false)
            #expect(
                inspection.notes.contains { $0.contains("platform.squad, which directory.team reads, is a foreign table") })
            #expect(inspection.faults.map(\.remedy) == ["REFRESH MATERIALIZED VIEW directory.profile"])
        }
    }

    @Test("A function below a view that is SECURITY DEFINER, changes settings or returns rows causes a note")
    func functions() async throws {
        let body =
            "LANGUAGE plpgsql STABLE SECURITY DEFINER SET row_security = on AS 'BEGIN RETURN QUERY SELECT * FROM platform.team; END'"
        let shout = "(text) RETURNS text LANGUAGE plpgsql"
        for (functions, name, from, note) in [
            (
                "FUNCTION platform.f() RETURNS SETOF platform.team \(body)", "t.name", "platform.f() t",
                "directory.team calls platform.f, a function with SECURITY DEFINER"
            ),
            (
                "FUNCTION platform.f() RETURNS SETOF platform.team LANGUAGE sql AS 'SELECT * FROM platform.team'", "t.name",
                "platform.f() t", "directory.team calls platform.f, a function that returns rows"
            ),
            (
                "VIEW platform.v AS SELECT * FROM platform.f()", "t.name", "platform.v t",
                "platform.v, which directory.team reads, calls platform.f, a function that returns rows"
            ),
            (
                "FUNCTION platform.g\(shout) SECURITY DEFINER AS 'BEGIN RETURN upper($1); END'", "platform.g(t.name)", nil,
                "directory.team calls platform.g, a function with SECURITY DEFINER"
            ),
            (
                "FUNCTION platform.h\(shout) SET row_security = on AS 'BEGIN RETURN upper($1); END'", "platform.h(t.name)",
                nil,
                "directory.team calls platform.h, a function that sets row_security"
            ),
            (
                "FUNCTION platform.i\(shout) SET search_path = x AS 'BEGIN RETURN upper($1); END'", "platform.i(t.name)",
                nil,
                "directory.team calls platform.i, a function that sets search_path"
            ),
            (
                "FUNCTION platform.j(text) RETURNS text BEGIN ATOMIC SELECT platform.g($1); END", "platform.j(t.name)", nil,
                "directory.team calls platform.g, a function with SECURITY DEFINER"
            ),
            (
                "OPERATOR platform.! (FUNCTION = platform.h, RIGHTARG = text)", "OPERATOR(platform.!) t.name", nil,
                "directory.team calls platform.h, a function that sets row_security"
            ),
            ("FUNCTION platform.k\(shout) AS 'BEGIN RETURN upper($1); END'", "platform.k(t.name)", nil, nil),
            ("VIEW platform.w AS SELECT * FROM platform.team", "upper(t.name)", "platform.w t", nil),
        ] as [(String, String, String?, String?)] {
            try await TestDatabase.with { database in
                try await database.execute(SmallTenant.sql)
                try await database.execute(WrongDirectory.view("team"))
                let before =
                    functions.contains("VIEW platform.v") || functions.contains("platform.j(")
                    || functions.contains("OPERATOR")
                if before {
                    try await database.execute(
                        """
                        CREATE FUNCTION platform.f() RETURNS SETOF platform.team LANGUAGE sql AS 'SELECT * FROM platform.team';
                        CREATE FUNCTION platform.g\(shout) SECURITY DEFINER AS 'BEGIN RETURN upper($1); END';
                        CREATE FUNCTION platform.h\(shout) SET row_security = on AS 'BEGIN RETURN upper($1); END'
                        """)
                }
                try await database.execute("CREATE \(functions)")
                try await database.execute(
                    "CREATE OR REPLACE VIEW directory.team AS SELECT t.id, t.tenant_id, \(name) AS name FROM \(from ?? "platform.team t")"
                )
                let notes = try await WrongDirectory.inspect(database, isExplained: false).notes
                #expect(notes.count == (note == nil ? 0 : 1), "\(functions): \(notes)")
                if let note {
                    #expect(notes.first == "the view \(note): this check cannot prove that it returns all rows", "\(notes)")
                }
            }
        }
    }

    @Test("A denial is doubtful if a column that it may result from is wrong, and only then")
    func doubtfulDenials() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            for (relation, column, expression, isDoubtful) in [
                ("profile", "permissions", "ARRAY[to_jsonb(t.permissions)]", true),
                ("profile", "scope", "t.scope = 'tenant'", true),
                ("administrator", "status", "t.status::\"char\"", true),
                ("administrator", "email", "t.email::char(300)", true),
                ("administrator", "profile_id", "t.profile_id::numeric", true),
                ("tenant", "slug", "t.slug::char(60)", true),
                ("administrator", "created_at", "t.created_at::date", false),
                ("team", "name", "to_json(t.name)", false), ("administrator_team", "team_id", "t.team_id::text", false),
                ("administrator", "name", "t.name", false),
            ] {
                try await database.execute(WrongDirectory.view(relation, [column: expression]))
                let contract = DirectoryContract()
                _ = contract.found(try await WrongDirectory.inspect(database))
                let fault = contract.fault(behind: DirectoryError.denied(.disabled))
                #expect((fault != nil) == isDoubtful, "\(relation).\(column): \(fault as Any)")
                #expect(fault?.description.contains("directory.\(relation).\(column) is ") != false)
                #expect(contract.fault(behind: DirectoryError.unknownTimeZone("")) == nil)
                try await database.execute(
                    """
                    DROP VIEW directory.\(relation);
                    ALTER TABLE platform.\(relation) SET SCHEMA directory;
                    GRANT SELECT ON directory.\(relation) TO adminexport_api, adminexport_worker
                    """)
            }
        }
    }

    @Test("A problem that no rule covers is reported with the server's error message")
    func refusals() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                CREATE FUNCTION public.shout(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN upper($1); END';
                REVOKE EXECUTE ON FUNCTION public.shout FROM PUBLIC
                """)
            try await database.execute(WrongDirectory.view("administrator", ["name": "public.shout(t.name)"]))
            let faults = try await WrongDirectory.inspect(database).faults
            #expect(faults.count == 1 && faults[0].problem.contains(": permission denied for function shout"))
        }
    }

    // MARK: State

    @Test("A temporary fault delays exports and ends them after the grace period; a permanent fault ends them at once")
    func grace() throws {
        let contract = DirectoryContract()
        #expect(throws: PostgresError.self) { try contract.checkExport() }
        #expect(contract.status == .unreachable)
        let now = ContinuousClock.now
        func look(_ faults: [ContractFault], at time: ContinuousClock.Instant) -> Bool {
            contract.found(DirectoryInspection(faults: faults), at: time)
        }
        #expect(look([], at: now) && !look([], at: now))
        try contract.checkExport(at: now)
        let passing = ContractFault("a", "b", mayPass: true)
        #expect(look([passing], at: now))
        #expect(throws: DirectoryError.unsettled("a: b")) { try contract.checkClaim(at: now) }
        #expect(throws: DirectoryError.unsettled("a: b")) { try contract.checkExport(at: now) }
        // A second inspection does not restart the grace period.
        _ = look([passing], at: now + .seconds(20))
        let later = now + DirectoryContract.grace
        #expect(throws: DirectoryError.sourceInvalid("a: b")) { try contract.checkExport(at: later) }
        try contract.checkClaim(at: later)
        _ = look([], at: later)
        try contract.checkExport(at: later)
        _ = look([passing, ContractFault("c", "d")], at: later)
        #expect(throws: DirectoryError.sourceInvalid("c: d")) { try contract.checkExport(at: later) }
        try contract.checkClaim(at: later)
    }

    @Test(
        "A snapshot is refused if the last inspection found other types, other keys or a fault, whenever that inspection ended"
    )
    func outdated() throws {
        func keys(_ type: KeyTypes.KeyType) -> KeyTypes {
            KeyTypes(tenant: type, profile: type, group: type, team: type, administrator: type)
        }
        let contract = DirectoryContract()
        let now = ContinuousClock.now
        func found(_ keys: KeyTypes?, _ faults: [ContractFault], _ types: String) {
            _ = contract.found(DirectoryInspection(keys: keys, faults: faults, types: types), at: now)
        }
        func error(_ types: String, _ keys: KeyTypes) -> DirectoryError? {
            do {
                try contract.check(types: types, keys: keys, at: now)
                return nil
            } catch {
                return error as? DirectoryError
            }
        }
        let changed = DirectoryError.unsettled("columns of the directory have changed since they were checked")
        found(keys(.bigint), [], "1")
        #expect(error("1", keys(.bigint)) == nil)
        #expect(error("2", keys(.bigint)) == changed)
        // The statements were chosen before an inspection that found other keys, or a fault.
        found(keys(.uuid), [], "2")
        #expect(error("2", keys(.bigint)) == changed && error("2", keys(.uuid)) == nil)
        found(keys(.uuid), [ContractFault("a", "b")], "3")
        #expect(error("3", keys(.uuid)) == .sourceInvalid("a: b"))
        #expect(error("2", keys(.uuid)) == changed)
        found(nil, [ContractFault("a", "b")], "4")
        #expect(error("4", keys(.uuid)) == .sourceInvalid("a: b"))
    }
}
