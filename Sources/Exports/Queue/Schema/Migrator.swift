private import Foundation
package import Postgres

/// Brings the database to this version's schema; safe to run again, and by several at once.
package struct Migrator: Sendable {
    /// The schema that this binary is made for. It works with the next one too, where that one allows it.
    package static let version = 4

    /// Any number, the same in all versions: whoever migrates a database holds this lock.
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
    ]

    /// The migrations, in their order.
    static var statements: [String] { steps.map { String(decoding: $0.sql, as: UTF8.self) } }

    private let lockTimeout: Duration
    private let attempts: Int

    /// - Parameters:
    ///   - lockTimeout: how long a migration waits for a table that others use. Whoever comes after it waits for it.
    ///   - attempts: how often it tries, a second apart, in which others have their turn.
    package init(lockTimeout: Duration = .seconds(5), attempts: Int = 12) {
        self.lockTimeout = lockTimeout
        self.attempts = attempts
    }

    /// What was done, for people.
    package struct Report: Sendable, Equatable {
        package var applied: [Int] = []
        package var createdDirectory = false
        package var grantedDirectory = false
        package var createdLogins: [String] = []
        /// Older audit events that were given their tenant's key.
        package var keyedEvents = 0
    }

    /// What is done beside the schema itself.
    package struct Request: Sendable {
        /// Make the source contract's relations as tables, where there are none.
        package var createsDirectory = false
        /// Grant the roles the columns that they read, where the relations are.
        package var grantsDirectory = false
        /// Logins that are to be there and may assume a role.
        package var apiLogin: String?
        package var workerLogin: String?
        /// Stops at this version: for tests of what an older program has left.
        var target = Migrator.version

        package init() {}

        package static var withDirectory: Request {
            var request = Request()
            request.createsDirectory = true
            return request
        }
    }

    /// Whether a name can be a login's here: nothing in it has to be escaped within quotes, and PostgreSQL does not cut it.
    package static func isLogin(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_-]{0,62}/) != nil
    }

    /// - Throws: ``SchemaError``, ``PostgresError``.
    package func run(_ request: Request = Request(), on connection: isolated PostgresConnection) async throws -> Report {
        let created = try await createRoles(request, on: connection)
        // Roles are seen by all databases; the rest is this database's, and one migration at a time.
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
            if request.grantsDirectory { report.grantedDirectory = try await grantDirectory(on: connection) }
            return report
        }
        while let keyed = try await Self.keyEvents(on: connection) { report.keyedEvents += keyed }
        if request.target >= 4 { try await finish(on: connection) }
        return report
    }

    /// Runs a transaction as the only migration of the database, and tries again where others hold its tables.
    ///
    /// - Throws: ``SchemaError/tablesInUse`` when that has not come to an end; what the body throws.
    private func withTables<Result: Sendable>(
        on connection: isolated PostgresConnection,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let timeout = max(Int(lockTimeout / .milliseconds(1)), 1)
        for attempt in 1... {
            do {
                return try await connection.withTransaction { connection in
                    // Another migration may take its time.
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

    /// What version 4 needs and takes long on a large trail: reading goes on beside it. What is interrupted is done by the next
    /// migration.
    private func finish(on connection: isolated PostgresConnection) async throws {
        let left = try await connection.query(
            Query(
                "left-to-do",
                """
                SELECT to_regclass('adminexport.audit_event_of_tenant') IS NULL OR EXISTS (
                    SELECT FROM pg_constraint WHERE conname = 'audit_event_event_check' AND NOT convalidated
                        AND conrelid = 'adminexport.audit_event'::regclass) AS is_left
                """))
        guard try left.first?.decode("is_left") == true else { return }
        // A tenant's events, newest first. Writing waits until it is made.
        try await withTables(on: connection) { connection in
            try await connection.script(
                "index-trail",
                """
                SET LOCAL ROLE \(DatabaseRole.owner);
                CREATE INDEX IF NOT EXISTS audit_event_of_tenant ON adminexport.audit_event (tenant_key, at, id);
                RESET ROLE
                """)
        }
        // Writing goes on.
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

    /// Gives the events of some hundred jobs, written before version 4, their tenant's key. In a transaction of its own each
    /// time, so that the service goes on beside it however long the trail is; what is interrupted goes on with the next
    /// migration. Uses the primary key of jobs and the index `audit_event_of_job`.
    ///
    /// - Returns: how many; nil when nothing is left to do.
    private static func keyEvents(on connection: isolated PostgresConnection) async throws -> Int? {
        try await connection.withTransaction(role: DatabaseRole.owner) { connection in
            // The row's lock keeps two migrations from doing the same.
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

    /// Prepares a directory in a database of its own: the roles, their logins, and what they may read. None of our schema is there.
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
            if request.grantsDirectory { report.grantedDirectory = try await grantDirectory(on: connection) }
            return report
        }
    }

    /// Advisory locks are per database and roles per cluster: two migrations of two databases meet here, and the loser's
    /// error means that the role is there.
    ///
    /// - Returns: the logins that were not there.
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
            // Whoever only owns the schema may not grant, and need not do so again.
            if try member.first?.decode("is_member") != true {
                try await connection.script("grant-role", "GRANT \(role) TO \"\(login)\"")
            }
        }
        return created
    }

    /// - Returns: whether it was not there.
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

    /// Whether the directory's relations are in this database.
    package static func hasDirectory(on connection: isolated PostgresConnection) async throws -> Bool {
        let found = try await connection.query(
            Query("find-directory", "SELECT to_regclass('directory.administrator') IS NOT NULL AS found"))
        return try found.first?.decode("found") ?? false
    }

    /// - Returns: whether there is a directory.
    private func grantDirectory(on connection: isolated PostgresConnection) async throws -> Bool {
        guard try await Self.hasDirectory(on: connection) else { return false }
        do {
            try await connection.script(
                "grant-directory", String(decoding: PackageResources.directory_grants_sql, as: UTF8.self))
        } catch let error as PostgresError
            where [SQLState.undefinedTable, SQLState.undefinedColumn, SQLState.insufficientPrivilege].contains(
                error.sqlState)
        {
            throw SchemaError.directory(error.serverMessage ?? error.message)
        }
        return true
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

    /// Holds the database to this binary at start.
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

    /// Holds the login to the roles that a process assumes.
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

    /// Tries it: from PostgreSQL 16 on a member may still not be one who can SET ROLE.
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

/// A database that this binary cannot work with; what to do stands in the description.
package enum SchemaError: Error, Equatable, Sendable, CustomStringConvertible {
    package var isAboutRole: Bool {
        if case .roleMissing = self { true } else { false }
    }

    /// Whether a migration that is under way may put it right.
    package var isOfAMigration: Bool {
        switch self {
        case .missing, .roleMissing: true
        case .tooNew, .directory, .grantsMissing, .notOwner, .tablesInUse: false
        }
    }

    case missing
    case tooNew(Int)
    case roleMissing(String)
    /// The roles are there, and what they may is not: a database that was restored without them.
    case grantsMissing
    /// What only the schema's owner may do.
    case notOwner
    /// Others have held tables of the schema for longer than a migration waits.
    case tablesInUse
    /// What PostgreSQL says: names of relations and columns.
    case directory(String)

    package var description: String {
        switch self {
        case .missing:
            "the database has no schema of this version: run adminexportd migrate"
        case .tooNew(let version):
            "the database has schema version \(version), and this program is for version \(Migrator.version): install a newer adminexport"
        case .grantsMissing:
            "the service's roles may not read its own schema, as after a restore without the roles: restore it again, now that they are there"
        case .notOwner:
            "that takes a member of \(DatabaseRole.owner): run this as one, such as the user postgres"
        case .tablesInUse:
            "a long transaction holds tables of schema adminexport, and nothing was changed that is not whole: end it (pg_stat_activity shows it), then run adminexportd migrate again"
        case .directory(let fault):
            "the service cannot be granted the directory's columns (\(fault)): check the views, and who owns them"
        case .roleMissing(let grant):
            "the database login may not assume a role that it needs: run, as its owner, \(grant)"
        }
    }
}
