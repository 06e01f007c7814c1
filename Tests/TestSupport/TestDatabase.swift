internal import Exports
private import Foundation
package import Postgres
private import Synchronization

/// A separate database for one test, copied from a migrated template.
///
/// The cluster is the one that `Scripts/postgres.sh` started; `make test` does that.
package struct TestDatabase: Sendable {
    package let name: String

    /// A login that has the roles `adminexport_api` and `adminexport_worker`, and nothing else.
    package static let serviceUser = "test_service"

    /// Runs the body with a fresh database, which is dropped at the end.
    ///
    /// - Parameters:
    ///   - migrated: if false, the database is empty.
    ///   - encoding: an encoding other than the cluster's. Such a database is not copied from the template, and takes longer.
    package static func with<Result: Sendable>(
        migrated: Bool = true, encoding: String? = nil, _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        let database = TestDatabase(name: "test_\(ProcessInfo.processInfo.processIdentifier)_\(number())")
        let template = migrated ? try await Template.shared.name() : "template0"
        let admin = try await PostgresConnection.connect(options(database: "postgres", user: superuser))
        let source = encoding.map { "template0 ENCODING '\($0)' LOCALE 'C'" } ?? template
        try await admin.script("create", "CREATE DATABASE \(database.name) TEMPLATE \(source)")
        do {
            if migrated, encoding != nil { _ = try await Migrator().run(.withDirectory, on: database.connect()) }
            let result = try await body(database)
            try await admin.script("drop", "DROP DATABASE \(database.name) WITH (FORCE)")
            return result
        } catch {
            try? await admin.script("drop", "DROP DATABASE \(database.name) WITH (FORCE)")
            throw error
        }
    }

    private static let counter = Mutex(0)

    private static func number() -> Int {
        counter.withLock { count in
            count += 1
            return count
        }
    }

    /// The migrated template, which the first test creates.
    private actor Template {
        static let shared = Template()

        private var making: Task<String, any Error>?

        func name() async throws -> String {
            let task = making ?? Task { try await Self.make() }
            making = task
            return try await task.value
        }

        private static func make() async throws -> String {
            let name = "template_\(ProcessInfo.processInfo.processIdentifier)"
            let admin = try await PostgresConnection.connect(options(database: "postgres", user: superuser))
            try await admin.script("create", "CREATE DATABASE \(name) TEMPLATE template0")
            let connection = try await PostgresConnection.connect(options(database: name, user: superuser))
            _ = try await Migrator().run(.withDirectory, on: connection)
            do {
                try await admin.script(
                    "role", "CREATE ROLE \(serviceUser) LOGIN IN ROLE adminexport_api, adminexport_worker")
            } catch let error as PostgresError where error.sqlState == SQLState.duplicateObject {}
            return name
        }
    }

    // MARK: Connections

    package static var superuser: String { environment("PG_SUPERUSER") }
    package static var socketDirectory: String { environment("PG_SOCKET_DIR") }

    package static func environment(_ name: String) -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else {
            fatalError("\(name) is not set: run the tests with make test, which starts a PostgreSQL for them")
        }
        return value
    }

    package static func url(database: String, user: String) -> String {
        "postgresql:///\(database)?host=\(socketDirectory)&user=\(user)"
    }

    package func url(user: String = serviceUser) -> String {
        Self.url(database: name, user: user)
    }

    package static func options(database: String, user: String) -> ConnectionOptions {
        var options = ConnectionOptions(connectionString: url(database: database, user: user))
        // Many tests set up databases in parallel. Only the programs' own limits are under test.
        options.connectTimeout = .seconds(30)
        options.statementTimeout = .seconds(600)
        options.idleInTransactionTimeout = .seconds(600)
        return options
    }

    package func connect(user: String = TestDatabase.superuser) async throws -> PostgresConnection {
        try await PostgresConnection.connect(Self.options(database: name, user: user))
    }

    /// A pool of the service's login.
    package func pool(size: Int = 4, user: String = serviceUser) -> PostgresPool {
        // Tests run in parallel on few cores, so a request may wait long for a connection.
        PostgresPool(Self.options(database: name, user: user), size: size, acquisitionTimeout: .seconds(60))
    }

    /// Runs SQL as the superuser, with the search path that psql has.
    package func execute(_ sql: String) async throws {
        try await Self.run(sql, on: connect())
    }

    private static func run(_ sql: String, on connection: PostgresConnection) async throws {
        try await connection.script("search-path", "RESET search_path")
        try await connection.script("test", sql)
    }

    /// The first column of the first row, as text.
    package func text(_ sql: String) async throws -> String? {
        try await connect().query(Query("test", "SELECT (\(sql))::text AS value")).first?.decodeIfPresent("value")
    }
}
