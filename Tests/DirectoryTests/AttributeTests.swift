import Postgres
import TestSupport
import Testing

@testable import Directory

@Suite(.timeLimit(.minutes(10))) struct AttributeTests {
    private static let all: [Attribute] = [
        Attribute(column: "job title", title: "Job title", kind: .text),
        Attribute(column: "hired", title: "Hired", kind: .date),
        Attribute(column: "last_sign_in", title: "Last sign-in", kind: .datetime, permission: "security.view"),
        Attribute(column: "mfa", title: "MFA", kind: .boolean, permission: "security.view"),
        Attribute(column: "roles", title: "Roles", kind: .list, permission: "roles.view"),
    ]

    private static let columns = """
        \(SmallTenant.sql);
        ALTER TABLE directory.administrator ADD COLUMN "job title" varchar(4000000), ADD COLUMN hired date,
            ADD COLUMN last_sign_in timestamptz, ADD COLUMN mfa boolean, ADD COLUMN roles text[];
        GRANT SELECT ("job title", hired, last_sign_in, mfa, roles) ON directory.administrator TO adminexport_worker;
        UPDATE directory.profile SET permissions = permissions || '{security.view,roles.view,NULL}' WHERE id = 1;
        UPDATE directory.profile SET permissions = permissions || '{roles.view}' WHERE id = 2;
        UPDATE directory.administrator SET "job title" = '=SUM(A1)', hired = '2020-02-29', last_sign_in = '2026-03-29 00:59:59.9Z',
            mfa = true, roles = ARRAY['b', 'a, c', NULL, 'say "x"', ''] WHERE id = 1;
        UPDATE directory.administrator SET "job title" = '', hired = '-infinity', last_sign_in = 'infinity', mfa = false, roles = '{}'
            WHERE id = 2;
        UPDATE directory.administrator SET hired = '4000-01-01 BC', last_sign_in = '0044-03-15 00:00:00.5Z BC', roles = '{{1,2},{3,4}}'
            WHERE id = 3;
        """

    private func rows(
        _ actor: String, _ attributes: [Attribute] = all, includeDisabled: Bool = false, in database: TestDatabase
    ) async throws -> (titles: [String], rows: [[String]]) {
        let pool = database.pool(size: 4)
        let keys = try await pool.withConnection { try await KeyTypes.load($0) }
        return try await Snapshot.read(
            actor: .keys(tenant: "1", actor: actor), includeDisabled: includeDisabled, attributes: attributes, keys: keys,
            pool: pool,
            role: "adminexport_worker"
        ) { snapshot, pages in
            var result: [[String]] = []
            for await page in pages {
                _ = try page.forEachRow(snapshot.references) { row in
                    var values: [String] = ["\(row.isEnabled)"]
                    for (index, attribute) in snapshot.attributes.enumerated() {
                        switch attribute.kind {
                        case .text:
                            row.withText(ofAttribute: index) { text in
                                if let text { values.append(String(utf8: text)) } else { values.append("-") }
                            }
                        case .date: values.append(row.day(ofAttribute: index).map { "\($0)" } ?? "-")
                        case .datetime: values.append(row.time(ofAttribute: index).map { "\($0)" } ?? "-")
                        case .boolean: values.append(row.flag(ofAttribute: index).map { "\($0)" } ?? "-")
                        case .list:
                            var list = Array("rest".utf8)
                            try row.list(ofAttribute: index, into: &list)
                            values.append(String(decoding: list, as: UTF8.self))
                        }
                    }
                    result.append(values)
                }
            }
            #expect(result.count == snapshot.rowsTotal)
            return (snapshot.attributes.map(\.title), result)
        }
    }

    @Test("A snapshot has the values of the declared columns, with times in the tenant's time zone", arguments: [0, 30_000])
    func values(others: Int) async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.columns)
            // With many rows, COPY and two connections read them.
            try await database.execute(
                """
                INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, "job title", mfa, roles)
                SELECT n + 100, 1, 'x', 'x', 3, 'title ' || n, n % 2 = 0, ARRAY['r' || n] FROM generate_series(1, \(others)) AS n
                """)
            for includeDisabled in [false, true] {
                let (titles, rows) = try await rows("1", includeDisabled: includeDisabled, in: database)
                #expect(titles == ["Job title", "Hired", "Last sign-in", "MFA", "Roles"])
                // 2026-03-29 01:59:59 in Paris, a second before the summer time begins. Fractions are cut off, also before 1970.
                #expect(
                    Array(rows.prefix(3)) == [
                        [
                            "true", "=SUM(A1)", "date(18321)", "seconds(1774749599)", "true",
                            "b, \"a, c\", \"say \"\"x\"\"\", ",
                        ],
                        ["true", "", "minusInfinity", "infinity", "false", ""],
                        ["true", "-", "date(-2180132)", "seconds(-63517823439)", "-", "1, 2, 3, 4"],
                    ])
                if others > 0 { #expect(rows.last == ["true", "title \(others)", "-", "-", "true", "r\(others)"]) }
            }
        }
    }

    @Test("A very long value of an attribute is read in small pages, and its text is cut as other texts are")
    func longValues() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.columns)
            try await database.execute(
                "UPDATE directory.administrator SET \"job title\" = repeat('x', 3000000), roles = ARRAY[repeat('y', 2000000)]"
            )
            let lengths = try await rows("1", in: database).rows.map { [$0[1].utf8.count, $0[5].utf8.count] }
            #expect(lengths == Array(repeating: [3 * 32_768, 2_000_000], count: 6))
        }
    }

    @Test("An actor sees the columns whose permission the actor's profile has now")
    func permissions() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.columns)
            #expect(try await rows("1", in: database).titles == Self.all.map(\.title))
            #expect(try await rows("2", in: database).titles == ["Job title", "Hired", "Roles"])
            try await database.execute("UPDATE directory.profile SET permissions = '{administrators.view}' WHERE id = 1")
            #expect(try await rows("1", in: database).titles == ["Job title", "Hired"])
            let restricted = Self.all.filter { $0.permission != nil }
            #expect(try await rows("1", restricted, in: database).rows.allSatisfy { $0 == ["true"] })
        }
    }

    @Test(
        "A declared column that does not exist, has a wrong type or is not granted is a fault; the first two name the line",
        arguments: [
            ("missing", Attribute.Kind.text, "does not exist", true), ("hired", .datetime, "is date, but", true),
            ("hired", .text, "is date, but", true), ("roles", .text, "is text[], but", true),
            ("mfa", .list, "is boolean, but", true),
            ("json", .text, "is json, but", true), ("level", .text, "is integer, but", true),
            ("local", .datetime, "is timestamp without", true),
            ("numbers", .list, "is integer[], but", true), ("fixed", .text, "is character, but", true),
            ("rank", .text, "may not read directory.administrator (rank)", false),
            ("shortened", .text, "may not read", false),
        ])
    func faults(_ column: String, _ kind: Attribute.Kind, _ sign: String, _ isOfConfiguration: Bool) async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                \(Self.columns); CREATE DOMAIN shortened AS varchar(10);
                ALTER TABLE directory.administrator ADD json json, ADD level int, ADD local timestamp, ADD numbers int[], ADD fixed char(3),
                    ADD rank text, ADD shortened shortened;
                GRANT SELECT (json, level, local, numbers, fixed) ON directory.administrator TO adminexport_worker
                """)
            let faults = try await WrongDirectory.inspect(
                database, attributes: [Attribute(column: column, title: "T", kind: kind, line: 17)]
            ).faults
            #expect(faults.count == 1 && faults.first?.problem.contains(sign) == true, "\(faults)")
            #expect(faults.first?.isOfConfiguration == isOfConfiguration)
            #expect(faults.first?.problem.contains("attributes, line 17") == isOfConfiguration)
        }
    }

    /// Views of accounts in which the column `note` is made of a credential, or may be.
    private static let views = [
        "renamed": "SELECT COLUMNS, t.password_hash AS note FROM platform.administrator t",
        "computed": "SELECT COLUMNS, md5(coalesce(t.api_key, '')) AS note FROM platform.administrator t",
        "of a view": """
        SELECT COLUMNS, t.harmless AS note FROM (SELECT t.*, x.harmless FROM platform.administrator t
            JOIN platform.other x ON x.id = t.id) t
        """,
        "of a row": "SELECT COLUMNS, to_jsonb(t) ->> 'totp_' || 'x' AS note FROM platform.administrator t",
        "of a function": "SELECT COLUMNS, platform.harmless(t.id) AS note FROM platform.administrator t",
        "of a union": """
        SELECT COLUMNS, t.note FROM (SELECT u.*, u.phone AS note FROM platform.administrator u WHERE false
            UNION ALL SELECT u.*, u.session_token FROM platform.administrator u) t
        """,
        "of a subquery":
            "SELECT COLUMNS, (SELECT max(c.secret) FROM platform.credential c WHERE c.owner = t.id) AS note FROM platform.administrator t",
        "of a generated column": "SELECT COLUMNS, t.generated AS note FROM platform.administrator t",
        "of an operator": "SELECT COLUMNS, (t.id OPERATOR(platform.@@@) 'x') AS note FROM platform.administrator t",
        "of a table of credentials":
            "SELECT COLUMNS, (SELECT max(c.value) FROM platform.api_tokens c WHERE c.owner = t.id) AS note FROM platform.administrator t",
        "of a document":
            "SELECT COLUMNS, (SELECT d.data ->> 'password_hash' FROM platform.document d WHERE d.id = t.id) AS note FROM platform.administrator t",
        "of a key with a hyphen":
            "SELECT COLUMNS, (SELECT d.data ->> 'backup-codes' FROM platform.document d WHERE d.id = t.id) AS note FROM platform.administrator t",
        "of a whole table":
            "SELECT COLUMNS, table_to_xml('platform.document'::regclass, true, true, '')::text AS note FROM platform.administrator t",
        "of a generated key":
            "SELECT COLUMNS, (SELECT d.part FROM platform.document d WHERE d.id = t.id) AS note FROM platform.administrator t",
        "of a query in a text":
            "SELECT COLUMNS, query_to_xml('SELECT api_key FROM x', true, true, '')::text AS note FROM platform.administrator t",
        "of a materialized view":
            "SELECT COLUMNS, (SELECT s.note FROM platform.stored s WHERE s.id = t.id) AS note FROM platform.administrator t",
    ]

    @Test(
        "If a view reads a column that looks like a credential, the inspection refuses every attribute except booleans until it is marked as reviewed",
        arguments: views.keys.sorted())
    func origins(_ name: String) async throws {
        let columns =
            "t.id, t.tenant_id, t.name, t.email, t.phone, t.profile_id, t.main_group_id, t.status, t.created_at, t.updated_at"
        let view = try #require(Self.views[name]).replacing("COLUMNS", with: columns + ", t.phone IS NULL AS has_none")
        try await TestDatabase.with { database in
            try await database.execute(
                """
                \(SmallTenant.sql); CREATE SCHEMA platform; GRANT USAGE ON SCHEMA platform TO PUBLIC;
                ALTER TABLE directory.administrator SET SCHEMA platform;
                ALTER TABLE platform.administrator ADD generated text GENERATED ALWAYS AS ('x' || password_hash) STORED;
                CREATE TABLE platform.credential (owner bigint, secret text);
                CREATE TABLE platform.api_tokens (owner bigint, value text); CREATE TABLE platform.document
                    (id bigint, data jsonb, part text GENERATED ALWAYS AS (data ->> 'pin') STORED);
                CREATE VIEW platform.other AS SELECT id, session_token AS harmless FROM platform.administrator;
                CREATE MATERIALIZED VIEW platform.stored AS SELECT id, totp_secret AS note FROM platform.administrator;
                CREATE FUNCTION platform.harmless(bigint) RETURNS text LANGUAGE sql STABLE
                    AS 'SELECT password_hash FROM platform.administrator WHERE id = $1';
                CREATE FUNCTION platform.compare(bigint, text) RETURNS text LANGUAGE sql STABLE
                    AS 'SELECT password_hash FROM platform.administrator WHERE id = $1';
                CREATE OPERATOR platform.@@@ (LEFTARG = bigint, RIGHTARG = text, FUNCTION = platform.compare);
                CREATE VIEW directory.administrator AS \(view);
                GRANT SELECT ON directory.administrator TO adminexport_api, adminexport_worker
                """)
            func faults(_ attribute: Attribute) async throws -> [ContractFault] {
                try await WrongDirectory.inspect(database, attributes: [attribute]).faults
            }
            let refused = try await faults(Attribute(column: "note", title: "N", kind: .text, line: 4))
            #expect(
                refused.count == 1 && refused.first?.isOfConfiguration == true
                    && refused.first?.problem.contains("line 4") == true)
            #expect(refused.first?.remedy.contains("reviewed: true") == true)
            #expect(try await faults(Attribute(column: "note", title: "N", kind: .text, isReviewed: true)) == [])
            #expect(try await faults(Attribute(column: "has_none", title: "N", kind: .boolean)) == [])
        }
    }

    @Test("A generated column of the table itself that is made of a credential is refused, and its neighbours are not")
    func ownOrigins() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                \(Self.columns);
                ALTER TABLE directory.administrator ADD badge text GENERATED ALWAYS AS (password_hash) STORED,
                    ADD upper text GENERATED ALWAYS AS (upper(name)) STORED;
                GRANT SELECT (badge, upper) ON directory.administrator TO adminexport_worker
                """)
            let badge = Attribute(column: "badge", title: "B", kind: .text)
            let faults = try await WrongDirectory.inspect(
                database, attributes: [badge, Attribute(column: "upper", title: "U", kind: .text)]
            ).faults
            #expect(faults.count == 1 && faults.first?.problem.contains("badge") == true)
        }
    }

    @Test(
        "Times at both limits of PostgreSQL are read in any time zone",
        arguments: ["America/New_York", "UTC", "Pacific/Auckland", "Etc/GMT+12"])
    func limits(zone: String) async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                \(Self.columns);
                UPDATE directory.tenant SET time_zone = '\(zone)';
                UPDATE directory.administrator SET last_sign_in = '294276-12-31 23:59:59.999999+00', hired = '5874897-12-31' WHERE id = 1;
                UPDATE directory.administrator SET last_sign_in = '4714-11-24 00:00+00 BC', hired = '4714-11-24 BC' WHERE id = 2
                """)
            let rows = try await rows("1", in: database).rows
            #expect(rows[0][2] == "date(2145042905)" && rows[1][2] == "date(-2440588)")
            #expect(rows[0][3] == "seconds(9224318015999)" && rows[1][3] == "seconds(-210866803200)")
        }
    }

    @Test("A profile whose permissions form a matrix with null elements still permits columns")
    func permissionMatrix() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                "\(Self.columns); UPDATE directory.profile SET permissions = '{{administrators.view,security.view},{NULL,x}}' WHERE id = 1"
            )
            #expect(try await rows("1", in: database).titles == ["Job title", "Hired", "Last sign-in", "MFA"])
        }
    }

    @Test("Permissions are compared byte by byte")
    func equivalentPermissions() {
        let attribute = Attribute(column: "a", title: "A", kind: .text, permission: "\u{e9}")
        #expect([attribute].visible(with: PermissionNames(["e\u{301}"])).isEmpty)
        #expect([attribute].visible(with: PermissionNames(["\u{e9}"])).count == 1)
    }

    @Test(
        "A file is readable while each of its columns is declared and permitted now, and was permitted with the same permissions"
    )
    func files() {
        let attributes = [
            Attribute(column: "a", title: "A", kind: .text),
            Attribute(column: "b", title: "B", kind: .text, permission: "p"),
        ]
        let (none, p, q) = (PermissionNames(), PermissionNames(["p"]), PermissionNames(["p", "q"]))
        #expect(
            attributes.permitFile(with: [], requiring: [], to: none)
                && attributes.permitFile(with: ["a"], requiring: [], to: none))
        // Withdrawn; with a permission now; with another permission then.
        #expect(!attributes.permitFile(with: ["c"], requiring: [], to: q))
        #expect(
            !attributes.permitFile(with: ["b"], requiring: [], to: none)
                && attributes.permitFile(with: ["b"], requiring: [], to: p))
        #expect(
            !attributes.permitFile(with: ["a"], requiring: ["q"], to: p)
                && attributes.permitFile(with: ["a"], requiring: ["q"], to: q))
    }

    @Test("The inspection accepts attributes of a view that reads no such column, and of a table that has one")
    func harmlessOrigins() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.columns)
            #expect(try await WrongDirectory.inspect(database, attributes: Self.all).faults == [])
            try await database.execute(
                """
                CREATE SCHEMA platform; GRANT USAGE ON SCHEMA platform TO PUBLIC; ALTER TABLE directory.administrator SET SCHEMA platform;
                CREATE VIEW directory.administrator AS SELECT id, tenant_id, name, email, phone, profile_id, main_group_id, status, created_at,
                    updated_at, upper("job title") || CASE WHEN md5(email) = 'x' THEN 'Salt Lake City' ELSE (SELECT max(e.value) FROM jsonb_each_text('{}') e) END AS title
                    FROM platform.administrator;
                GRANT SELECT ON directory.administrator TO adminexport_api, adminexport_worker
                """)
            let title = Attribute(column: "title", title: "T", kind: .text)
            #expect(try await WrongDirectory.inspect(database, attributes: [title]).faults == [])
        }
    }

    @Test("The inspection notes a permission that no profile has")
    func unknownPermission() async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.columns)
            var attributes = Self.all
            attributes.append(Attribute(column: "job title", title: "Wrong", kind: .text, permission: "securty.view"))
            let inspection = try await WrongDirectory.inspect(database, attributes: attributes)
            #expect(inspection.faults == [] && inspection.notes.count == 1)
            #expect(
                inspection.notes.first?.contains("securty.view") == true
                    && inspection.notes.first?.contains("\"Wrong\"") == true)
        }
    }
}
