package import Directory
private import Foundation
package import Postgres

/// Migrates the database to this version's schema. It can run again, and several can run at once.
package struct Migrator: Sendable {
    /// The schema version of this program. The program also works with the next version, if that version allows it.
    package static let version = 7

    /// The number of the advisory lock that a migration holds; the same in all versions.
    private static let lock = 7_160_823_410

    private struct Step {
        let version: Int
        /// The oldest schema version whose binaries work with this one.
        let oldestBinary: Int
        let sql: [UInt8]
    }

    private static let steps = [
        Step(version: 1, oldestBinary: 1, sql: PackageResources._001_jobs_sql),
        Step(version: 2, oldestBinary: 1, sql: PackageResources._002_queue_sql),
        Step(version: 3, oldestBinary: 2, sql: PackageResources._003_counters_sql),
        Step(version: 4, oldestBinary: 3, sql: PackageResources._004_audit_sql),
        Step(version: 5, oldestBinary: 4, sql: PackageResources._005_turns_sql),
        Step(version: 6, oldestBinary: 5, sql: PackageResources._006_columns_sql),
        Step(version: 7, oldestBinary: 6, sql: PackageResources._007_evidence_sql),
    ]

    /// The migrations, in their order.
    static var statements: [String] { steps.map { String(decoding: $0.sql, as: UTF8.self) } }

    private let lockTimeout: Duration
    private let attempts: Int

    /// - Parameters:
    ///   - lockTimeout: how long a migration waits for a table that others use. Others that need the table wait behind it.
    ///   - attempts: how often it tries, with a second between two tries for the others.
    package init(lockTimeout: Duration = .seconds(5), attempts: Int = 12) {
        self.lockTimeout = lockTimeout
        self.attempts = attempts
    }

    /// What a migration has done.
    package struct Report: Sendable, Equatable {
        /// The schema versions that were installed, in order.
        package var applied: [Int] = []
        /// Whether the migration created the tables of the directory.
        package var createdDirectory = false
        /// Whether the migration granted the roles the columns of the directory.
        package var grantedDirectory = false
        /// The columns of `directory.administrator` that the worker's role can still read although nothing names them: the whole relation, or
        /// another role that it belongs to, has the privilege.
        package var undeclaredColumns: [String] = []
        /// The logins that the migration created.
        package var createdLogins: [String] = []
        /// Audit events of schema versions before 4 that got the key of their tenant.
        package var keyedEvents = 0
    }

    /// What to do besides the schema itself.
    package struct Request: Sendable {
        /// Create the relations of the directory as tables, if there are none.
        package var createsDirectory = false
        /// Grant the roles the columns that they read, if the relations exist.
        package var grantsDirectory = false
        /// The further columns of exports, which the worker's role reads besides those of the contract.
        package var attributes: [Attribute] = []
        /// A login to create, with membership in `adminexport_api`.
        package var apiLogin: String?
        /// A login to create, with membership in `adminexport_worker`.
        package var workerLogin: String?
        /// The last version to install; for tests with older schemas.
        var target = Migrator.version

        /// A migration of the schema alone.
        package init() {}

        /// A migration that also creates the tables of the directory.
        package static var withDirectory: Request {
            var request = Request()
            request.createsDirectory = true
            return request
        }
    }

    /// Whether a name can be the name of a login: it needs no escapes within quotes, and PostgreSQL does not truncate it.
    package static func isLogin(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_-]{0,62}/) != nil
    }

    /// Migrates the schema, and does what else is requested.
    ///
    /// - Throws: ``SchemaError``, ``PostgresError``.
    package func run(_ request: Request = Request(), on connection: isolated PostgresConnection) async throws -> Report {
        let created = try await createRoles(request, on: connection)
        // Roles belong to the cluster. The rest belongs to this database, and one migration runs at a time.
        var report = try await withTables(on: connection) { connection in
            let installed = try await Self.installed(on: connection)
            if let installed, installed.oldestBinary > Self.version || installed.version > Self.version + 1 {
                throw SchemaError.tooNew(installed.version)
            }
            var report = Report()
            report.createdLogins = created
            if installed == nil {
                try await connection.script(
                    "create-schema",
                    """
                    CREATE SCHEMA IF NOT EXISTS adminexport AUTHORIZATION \(DatabaseRole.owner);
                    SET LOCAL ROLE \(DatabaseRole.owner);
                    CREATE TABLE adminexport.schema_migration (
                        version int PRIMARY KEY, min_binary int NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
                    RESET ROLE
                    """)
            }
            for step in Self.steps where step.version > installed?.version ?? 0 && step.version <= request.target {
                try await connection.script(
                    "migration-\(step.version)",
                    """
                    SET LOCAL ROLE \(DatabaseRole.owner);
                    \(String(decoding: step.sql, as: UTF8.self));
                    INSERT INTO adminexport.schema_migration (version, min_binary)
                        VALUES (\(step.version), \(step.oldestBinary));
                    RESET ROLE
                    """)
                report.applied.append(step.version)
            }
            if request.createsDirectory { report.createdDirectory = try await createDirectory(on: connection) }
            if request.grantsDirectory { try await grantDirectory(request.attributes, &report, on: connection) }
            return report
        }
        while let keyed = try await Self.keyEvents(on: connection) { report.keyedEvents += keyed }
        if request.target >= 4 { try await finish(request, on: connection) }
        return report
    }

    /// Runs a transaction as the only migration of the database, and tries again while others hold its tables.
    ///
    /// - Throws: ``SchemaError/tablesInUse`` after the last try; errors of the body.
    private func withTables<Result: Sendable>(
        on connection: isolated PostgresConnection,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let timeout = max(Int(lockTimeout / .milliseconds(1)), 1)
        for attempt in 1... {
            do {
                return try await connection.withTransaction { connection in
                    // Without a timeout: another migration may take long.
                    try await connection.query(
                        Query(
                            "migration-lock", "SELECT pg_advisory_xact_lock($1::bigint) IS NULL AS done",
                            [.integer(Self.lock)]))
                    try await connection.script("lock-timeout", "SET LOCAL lock_timeout = \(timeout)")
                    return try await body(connection)
                }
            } catch let error as PostgresError
                where error.sqlState == SQLState.lockNotAvailable || error.sqlState == SQLState.deadlockDetected
            {
                guard attempt < attempts else { throw SchemaError.tablesInUse }
                try await Task.sleep(for: .seconds(1))
            }
        }
        preconditionFailure("the attempts have an end")
    }

    /// The indexes by which operators read the trail. The first one came with version 4, the others with version 5.
    private static let trailIndexes = [
        "audit_event_of_tenant": "tenant_key, at, id", "audit_event_of_tenant_event": "tenant_key, event, at, id",
        "audit_event_of_label": "tenant_slug, at, id", "audit_event_of_actor": "actor_email, at, id",
        "audit_event_of_event": "event, at, id",
    ]

    /// The indexes of operators' lists of jobs that are over: of a tenant, a label and all, by state. Only the end of a job and its expiry
    /// write them. A list of all states reads them one by one, so the last one needs no index of its own.
    private static let listIndexes = [
        "job_over_of_tenant": "tenant_key, state, id", "job_over_of_label": "tenant_slug, state, id",
        "job_over": "state, id",
    ]

    /// The steps of versions 4 to 7 that take long on a large history. Each index has a transaction of its own, during which writes to
    /// its table wait: an index of jobs a second for a million of them, an index of the trail as long for a month's partition. Reads go on.
    /// After an interruption the next migration continues.
    private func finish(_ request: Request, on connection: isolated PostgresConnection) async throws {
        if request.target >= 5 {
            for (name, columns) in Self.listIndexes.sorted(by: { $0.key < $1.key })
            where try await isMissing(name, on: connection) {
                try await index(
                    """
                    CREATE INDEX IF NOT EXISTS \(name) ON adminexport.job (\(columns))
                        WHERE state IN ('succeeded', 'failed', 'cancelled', 'expired');
                    """, on: connection)
            }
            if try await !isMissing("job_of_tenant", on: connection) {
                try await index("DROP INDEX IF EXISTS adminexport.job_of_tenant;", on: connection)
            }
        }
        if request.target >= 7, try await isMissing("job_held", on: connection) {
            try await index("CREATE INDEX IF NOT EXISTS job_held ON adminexport.job (id) WHERE hold;", on: connection)
        }
        let names = Self.trailIndexes.keys.sorted().filter { request.target >= 5 || $0 == "audit_event_of_tenant" }
        for name in names where try await isMissing(name, on: connection) { try await indexTrail(name, on: connection) }
        let left = try await connection.query(
            Query(
                "unchecked",
                """
                SELECT count(*) > 0 AS is_left FROM pg_constraint WHERE conname = 'audit_event_event_check' AND NOT convalidated
                    AND conrelid = 'adminexport.audit_event'::regclass
                """))
        guard try left.first?.decode("is_left") == true else { return }
        // Writes go on meanwhile.
        try await withTables(on: connection) { connection in
            try await connection.script(
                "validate-trail",
                """
                SET LOCAL ROLE \(DatabaseRole.owner);
                ALTER TABLE adminexport.audit_event VALIDATE CONSTRAINT audit_event_event_check;
                RESET ROLE
                """)
        }
    }

    /// Whether an index is not there, or not yet on all partitions.
    private func isMissing(_ name: String, on connection: isolated PostgresConnection) async throws -> Bool {
        let found = try await connection.query(
            Query(
                "left-to-do",
                "SELECT coalesce((SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)), true) AS is_left",
                [.text("adminexport.\(name)")]))
        return try found.first?.decode("is_left") ?? true
    }

    private func index(_ sql: String, on connection: isolated PostgresConnection) async throws {
        try await withTables(on: connection) { connection in
            try await connection.script("index", "SET LOCAL ROLE \(DatabaseRole.owner); \(sql) RESET ROLE")
        }
    }

    /// Makes an index of the trail, one partition after the other. It is valid when each partition has its part.
    private func indexTrail(_ name: String, on connection: isolated PostgresConnection) async throws {
        guard let columns = Self.trailIndexes[name] else { return }
        try await index("CREATE INDEX IF NOT EXISTS \(name) ON ONLY adminexport.audit_event (\(columns));", on: connection)
        let rows = try await connection.query(
            Query(
                "partitions",
                """
                SELECT c.relname AS partition FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'adminexport.audit_event'::regclass AND NOT EXISTS (
                    SELECT FROM pg_inherits part JOIN pg_index x ON x.indexrelid = part.inhrelid
                    WHERE part.inhparent = to_regclass($1) AND x.indrelid = c.oid)
                ORDER BY c.relname
                """, [.text("adminexport.\(name)")]))
        for row in rows {
            let partition: String = try row.decode("partition")
            let part = partition + name.dropFirst("audit_event".count)
            try await index(
                """
                CREATE INDEX IF NOT EXISTS "\(part)" ON adminexport."\(partition)" (\(columns));
                ALTER INDEX adminexport.\(name) ATTACH PARTITION adminexport."\(part)";
                """, on: connection)
        }
    }

    /// Sets the tenant's key in the events of 500 jobs, written before version 4. Each call is a transaction of its own, so the
    /// service works meanwhile, however long the trail is. After an interruption the next migration continues. Uses the primary
    /// key of jobs and the index `audit_event_of_job`.
    ///
    /// - Returns: the number of events; nil if there is nothing left to do.
    private static func keyEvents(on connection: isolated PostgresConnection) async throws -> Int? {
        try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            // The lock of this row prevents that two migrations do the same.
            let progress = try await connection.query(
                Query(
                    "events-to-key", "SELECT value FROM adminexport.setting WHERE key = 'audit_tenant_key_after' FOR UPDATE")
            )
            guard let last: String = try progress.first?.decode("value") else { return nil }
            let rows = try await connection.query(
                Query(
                    "key-events",
                    """
                    WITH page AS MATERIALIZED (
                        SELECT id, tenant_key FROM adminexport.job WHERE id > $1::uuid ORDER BY id LIMIT 500
                    ), keyed AS (
                        UPDATE adminexport.audit_event e SET tenant_key = page.tenant_key FROM page
                        WHERE e.job = page.id AND e.tenant_key IS NULL RETURNING 1
                    ), moved AS (
                        UPDATE adminexport.setting SET value = (SELECT id::text FROM page ORDER BY id DESC LIMIT 1)
                        WHERE key = 'audit_tenant_key_after' AND EXISTS (SELECT FROM page)
                    ), ended AS (
                        DELETE FROM adminexport.setting
                        WHERE key = 'audit_tenant_key_after' AND NOT EXISTS (SELECT FROM page)
                    )
                    SELECT count(*) AS count FROM keyed
                    """, [.text(last)]))
            return try rows.first?.decode("count") ?? 0
        }
    }

    /// Prepares a database that has only the directory: roles, logins and grants.
    ///
    /// - Throws: ``SchemaError``, ``PostgresError``.
    package func prepareDirectory(
        _ request: Request, on connection: isolated PostgresConnection
    ) async throws -> Report {
        let created = try await createRoles(request, on: connection)
        return try await connection.withTransaction { connection in
            var report = Report()
            report.createdLogins = created
            try await connection.query(
                Query("migration-lock", "SELECT pg_advisory_xact_lock($1::bigint) IS NULL AS done", [.integer(Self.lock)]))
            if request.createsDirectory { report.createdDirectory = try await createDirectory(on: connection) }
            if request.grantsDirectory { try await grantDirectory(request.attributes, &report, on: connection) }
            return report
        }
    }

    /// Advisory locks belong to a database, and roles belong to the cluster. So migrations of two databases can create a role
    /// at the same time; the error of the second one means that the role exists.
    ///
    /// - Returns: the logins that it created.
    private func createRoles(_ request: Request, on connection: isolated PostgresConnection) async throws -> [String] {
        for role in [DatabaseRole.owner, DatabaseRole.api, DatabaseRole.worker] {
            _ = try await createRole(role, named: role, "NOLOGIN", on: connection)
        }
        if try await !Self.mayAssume(DatabaseRole.owner, on: connection) {
            try await connection.script("join-owner", "GRANT \(DatabaseRole.owner) TO CURRENT_USER")
        }
        var created: [String] = []
        for (login, role) in [(request.apiLogin, DatabaseRole.api), (request.workerLogin, DatabaseRole.worker)] {
            guard let login else { continue }
            precondition(Self.isLogin(login), "the name of a login was not checked")
            if try await createRole("\"\(login)\"", named: login, "LOGIN", on: connection) { created.append(login) }
            let member = try await connection.query(
                Query(
                    "is-member", "SELECT pg_has_role($1::text, $2::text, 'MEMBER') AS is_member",
                    [.text(login), .text(role)]))
            // A member of the owner role may not grant, and need not grant again.
            if try member.first?.decode("is_member") != true {
                try await connection.script("grant-role", "GRANT \(role) TO \"\(login)\"")
            }
        }
        return created
    }

    /// - Returns: whether it created the role.
    private func createRole(
        _ quoted: String, named name: String, _ attributes: String, on connection: isolated PostgresConnection
    ) async throws -> Bool {
        let found = try await connection.query(
            Query("find-role", "SELECT 1 AS found FROM pg_roles WHERE rolname = $1", [.text(name)]))
        guard found.isEmpty else { return false }
        do {
            try await connection.script("create-role", "CREATE ROLE \(quoted) \(attributes)")
            return true
        } catch let error as PostgresError
            where error.sqlState == SQLState.duplicateObject || error.sqlState == SQLState.uniqueViolation
        {
            return false
        }
    }

    /// Whether this database has the relations of the directory.
    package static func hasDirectory(on connection: isolated PostgresConnection) async throws -> Bool {
        let found = try await connection.query(
            Query("find-directory", "SELECT to_regclass('directory.administrator') IS NOT NULL AS found"))
        return try found.first?.decode("found") ?? false
    }

    /// Grants the columns of the contract and of the attributes, if there is a directory.
    private func grantDirectory(
        _ attributes: [Attribute], _ report: inout Report, on connection: isolated PostgresConnection
    ) async throws {
        guard try await Self.hasDirectory(on: connection) else { return }
        do {
            try await connection.script(
                "grant-directory", String(decoding: PackageResources.directory_grants_sql, as: UTF8.self))
            try await grantAttributes(attributes, on: connection)
        } catch let error as PostgresError
            where [SQLState.undefinedTable, SQLState.undefinedColumn, SQLState.insufficientPrivilege].contains(
                error.sqlState)
        {
            throw SchemaError.directory(error.serverMessage ?? error.message)
        }
        report.grantedDirectory = true
        report.undeclaredColumns = try await undeclaredColumns(attributes, on: connection)
    }

    /// Grants the worker's role the privilege to read the columns of the attributes. Revokes it for columns that neither the contract nor the
    /// configuration names.
    private func grantAttributes(
        _ attributes: [Attribute], on connection: isolated PostgresConnection
    ) async throws {
        for attribute in attributes where try await connection.storable([attribute.column]).isEmpty {
            throw SchemaError.attribute(
                "attributes, line \(attribute.line): the encoding of the database lacks a character of the column; correct the name"
            )
        }
        let rows = try await connection.query(
            Query(
                "undeclared-grants",
                """
                SELECT quote_ident(a.attname) AS name FROM pg_attribute a
                CROSS JOIN LATERAL aclexplode(a.attacl) AS g
                WHERE a.attrelid = to_regclass('directory.administrator') AND NOT a.attisdropped AND g.privilege_type = 'SELECT'
                    AND g.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1::name) AND a.attname <> ALL ($2::text[])
                ORDER BY a.attnum
                """, [.text(DatabaseRole.worker), .texts(Self.named(attributes))]))
        let undeclared: [String] = try rows.map { try $0.decode("name") }
        if !undeclared.isEmpty {
            try await connection.script(
                "revoke-attributes",
                "REVOKE SELECT (\(undeclared.joined(separator: ", "))) ON directory.administrator FROM \(DatabaseRole.worker)"
            )
        }
        guard !attributes.isEmpty else { return }
        let existing = try await connection.query(
            Query(
                "attribute-columns",
                """
                SELECT attname::text AS name FROM pg_attribute
                WHERE attrelid = to_regclass('directory.administrator') AND attnum > 0 AND NOT attisdropped
                """))
        let names: [String] = try existing.map { try $0.decode("name") }
        if let missing = attributes.first(where: { !names.contains($0.column) }) {
            throw SchemaError.attribute(
                "attributes, line \(missing.line): the column directory.administrator.\(missing.column) does not exist; correct the name, add the column to the view, or remove the attribute"
            )
        }
        let columns = attributes.map(\.quoted).joined(separator: ", ")
        try await connection.script(
            "grant-attributes", "GRANT SELECT (\(columns)) ON directory.administrator TO \(DatabaseRole.worker)")
    }

    /// The columns of `directory.administrator` that the contract or the configuration names.
    private static func named(_ attributes: [Attribute]) -> [String] {
        ContractColumn.all.filter { $0.relation == "administrator" }.map(\.name) + attributes.map(\.column)
    }

    /// The columns that the worker's role can read, without those of the contract and the attributes.
    private func undeclaredColumns(
        _ attributes: [Attribute], on connection: isolated PostgresConnection
    ) async throws -> [String] {
        let rows = try await connection.query(
            Query(
                "undeclared-columns",
                """
                SELECT quote_ident(a.attname) AS name FROM pg_attribute a
                WHERE a.attrelid = to_regclass('directory.administrator') AND a.attnum > 0 AND NOT a.attisdropped
                    AND has_column_privilege($1::name, a.attrelid, a.attnum, 'SELECT') AND a.attname <> ALL ($2::text[])
                ORDER BY a.attnum
                """, [.text(DatabaseRole.worker), .texts(Self.named(attributes))]))
        return try rows.map { try $0.decode("name") }
    }

    private func createDirectory(on connection: isolated PostgresConnection) async throws -> Bool {
        guard try await !Self.hasDirectory(on: connection) else { return false }
        try await connection.script(
            "create-directory",
            """
            CREATE SCHEMA IF NOT EXISTS directory AUTHORIZATION \(DatabaseRole.owner);
            SET LOCAL ROLE \(DatabaseRole.owner);
            \(String(decoding: PackageResources.directory_sql, as: UTF8.self));
            \(String(decoding: PackageResources.directory_grants_sql, as: UTF8.self));
            RESET ROLE
            """)
        return true
    }

    private static func installed(
        on connection: isolated PostgresConnection
    ) async throws -> (version: Int, oldestBinary: Int)? {
        let table = try await connection.query(
            Query("find-migrations", "SELECT to_regclass('adminexport.schema_migration') IS NOT NULL AS found"))
        guard try table.first?.decode("found") == true else { return nil }
        let rows = try await connection.query(
            Query(
                "schema-version",
                "SELECT max(version) AS version, max(min_binary) AS min_binary FROM adminexport.schema_migration"))
        guard let row = rows.first, let version = try row.decodeIfPresent("version", as: Int.self) else { return (0, 0) }
        return (version, try row.decode("min_binary"))
    }

    /// Checks at start that this program can work with the database.
    package static func check(on connection: isolated PostgresConnection) async throws {
        let installed: (version: Int, oldestBinary: Int)?
        do {
            installed = try await Self.installed(on: connection)
        } catch let error as PostgresError where error.sqlState == SQLState.insufficientPrivilege {
            throw SchemaError.grantsMissing
        }
        guard let installed, installed.version >= version else { throw SchemaError.missing }
        guard installed.oldestBinary <= version, installed.version <= version + 1 else {
            throw SchemaError.tooNew(installed.version)
        }
    }

    /// Checks that the login may assume the roles of the process.
    package static func checkRoles(_ roles: [String], on connection: isolated PostgresConnection) async throws {
        for role in roles where try await !mayAssume(role, on: connection) {
            let found = try await connection.query(
                Query("find-role", "SELECT 1 AS found FROM pg_roles WHERE rolname = $1", [.text(role)]))
            guard !found.isEmpty else { throw SchemaError.missing }
            guard role != DatabaseRole.owner else { throw SchemaError.notOwner }
            let login: String? = try await connection.query(Query("login", "SELECT session_user::text AS login"))
                .first?.decode("login")
            throw SchemaError.roleMissing("GRANT \(role) TO \"\(login ?? "the login")\"")
        }
    }

    /// Tries SET ROLE: from PostgreSQL 16 on, membership alone is not enough.
    private static func mayAssume(_ role: String, on connection: isolated PostgresConnection) async throws -> Bool {
        do {
            try await connection.withTransaction(readOnly: true, role: role) { _ in }
            return true
        } catch let error as PostgresError
            where error.sqlState == SQLState.insufficientPrivilege || error.sqlState == SQLState.invalidParameterValue
        {
            return false
        }
    }
}

/// Why the program cannot work with a database. The description says what to do.
package enum SchemaError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Whether the login may not assume a role that the process needs.
    package var isAboutRole: Bool {
        if case .roleMissing = self { true } else { false }
    }

    /// Whether a migration that runs now may correct the fault.
    package var isOfAMigration: Bool {
        switch self {
        case .missing, .roleMissing: true
        case .tooNew, .directory, .attribute, .grantsMissing, .notOwner, .tablesInUse: false
        }
    }

    /// The schema is not installed, or is older than this program.
    case missing
    /// The installed schema version is later and does not support this program.
    case tooNew(Int)
    /// The login may not assume a role that it needs. The text is the GRANT that corrects it.
    case roleMissing(String)
    /// The roles exist without their grants, as after a restore without the roles.
    case grantsMissing
    /// Only the schema's owner may do this.
    case notOwner
    /// Other transactions hold tables of the schema for longer than a migration waits.
    case tablesInUse
    /// The directory's columns cannot be granted. The text is PostgreSQL's message, with names of relations and columns.
    case directory(String)
    /// A declared attribute has no column. The text says which one and what to do.
    case attribute(String)

    /// The fault and its remedy, for people.
    package var description: String {
        switch self {
        case .missing:
            "the database does not have the schema of this version; run adminexportd migrate"
        case .tooNew(let version):
            "the database has schema version \(version), but this program supports version \(Migrator.version); install a newer adminexport"
        case .grantsMissing:
            "the service's roles may not read the schema adminexport, probably because a dump was restored before the roles existed; restore the dump again, because the roles exist now"
        case .notOwner:
            "only a member of \(DatabaseRole.owner) may do this; run the command as such a login, for example as the user postgres"
        case .tablesInUse:
            "a long transaction locks tables of the schema adminexport, so the migration stopped and left no partial change; end the transaction (pg_stat_activity shows it), then run adminexportd migrate again"
        case .directory(let fault):
            "the privileges on the directory's columns cannot be granted to the service (\(fault)); check the views and their owners"
        case .attribute(let fault): fault
        case .roleMissing(let grant):
            "the database login may not assume a role that it needs; run, as the owner of the database: \(grant)"
        }
    }
}
