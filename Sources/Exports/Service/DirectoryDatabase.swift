package import Directory
package import Postgres
private import Synchronization

/// The database that contains the directory: the jobs' database, or a separate one.
///
/// In the jobs' database, one transaction checks a permission and acts on it. Two databases have no common transaction: the
/// service first queries the directory, returns that connection, and then acts in the jobs' database. A permission that is
/// withdrawn in between is seen by the next check, which each export and each download makes.
package final class DirectoryDatabase: Sendable {
    private enum Place {
        case withJobs
        case apart
    }

    let contract: DirectoryContract
    private let jobs: PostgresPool
    /// Connections to `directory.url`; nil if that is `database.url`.
    private let own: PostgresPool?
    /// nil until both databases have been reached.
    private let place: Mutex<Place?>
    private let probe = SingleFlight<Void>()

    /// - Parameters:
    ///   - own: connections to `directory.url`, if the configuration sets it. It may still be the same database, or a standby
    ///     of it.
    ///   - contract: the last inspection of the directory.
    package init(jobs: PostgresPool, own: PostgresPool?, contract: DirectoryContract) {
        self.jobs = jobs
        self.own = own
        self.contract = contract
        place = Mutex(own == nil ? .withJobs : nil)
    }

    /// Compares the two databases, if the configuration names two.
    ///
    /// - Parameter connection: to `directory.url`.
    /// - Returns: whether the directory is in a database of its own.
    package func locate(from connection: PostgresConnection) async throws -> Bool {
        guard own != nil else { return false }
        let isApart = try await Self.isApart(jobs: jobs, connection)
        place.withLock { $0 = isApart ? .apart : .withJobs }
        return isApart
    }

    /// Whether the directory's session is in another database than the jobs.
    package static func isApart(jobs: PostgresPool, _ directory: PostgresConnection) async throws -> Bool {
        try await jobs.withConnection { jobs in
            let here = try await DatabaseIdentity.load(on: jobs)
            let there = try await DatabaseIdentity.load(on: directory)
            if here.isSame(as: there) { return false }
            // If the server restarted between the two queries, the times of its start differ. The session from before the
            // restart then fails here.
            return try await !DatabaseIdentity.load(on: jobs).isSame(as: there)
        }
    }

    /// The key types, once the directory has been reached.
    ///
    /// - Throws: ``DirectoryUnavailable``; ``PostgresError`` if the directory is in the jobs' database and that has not been
    ///   reached.
    var keys: KeyTypes {
        get throws {
            do {
                return try contract.keys
            } catch let error as PostgresError where own != nil {
                throw DirectoryUnavailable(reason: error)
            }
        }
    }

    /// Checks that the jobs' database has been reached, if the directory and the jobs have the same URL.
    ///
    /// - Throws: ``PostgresError`` if it has not been reached yet.
    func checkJobs() throws {
        guard own == nil, !contract.hasBeenReached else { return }
        throw PostgresError(.unreachable, "the database has not been reached yet")
    }

    /// Whether the server at `directory.url` answers within three seconds. True if the URL is that of the jobs' database.
    func isAnswering() async -> Bool {
        guard let own else { return true }
        guard contract.hasBeenReached else { return false }
        do {
            try await probe.run(timeout: .seconds(3)) {
                _ = try await own.withConnection { try await $0.query(Query("probe", "SELECT 1 AS one")) }
            }
            return true
        } catch {
            return false
        }
    }

    var isApart: Bool {
        get throws {
            guard let place = place.withLock({ $0 }) else {
                throw DirectoryUnavailable(reason: PostgresError(.unreachable, "the directory has not been reached yet"))
            }
            return place == .apart
        }
    }

    /// The pool for permission checks: that of the jobs' database, unless the directory is known to be in a separate one.
    package var pool: PostgresPool {
        if let own, isKnownApart { own } else { jobs }
    }

    /// Whether the directory is known to be in a separate database.
    package var isKnownApart: Bool { (try? isApart) == true }

    /// Queries the directory with one statement, and acts on the answer in a transaction in the jobs' database. If that
    /// database has the directory, both run in the same transaction.
    ///
    /// - Throws: ``DirectoryUnavailable``, or what the bodies throw.
    func ask<Answer: Sendable, Result: Sendable>(
        _ question: @Sendable (isolated PostgresConnection, KeyTypes) async throws -> Answer,
        then act: @Sendable (Answer, isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let keys = try keys
        guard try isApart else {
            return try await jobs.withTransaction(role: DatabaseRole.api) { connection in
                try await act(question(connection, keys), connection)
            }
        }
        let answer = try await read { try await question($0, keys) }
        return try await jobs.withTransaction(role: DatabaseRole.api) { try await act(answer, $0) }
    }

    /// Returns the tenants of the grant that do not exist now.
    package func missing(_ grant: TenantGrant) async throws -> [TenantName] {
        let keys = try keys
        return try await pool.withTransaction(readOnly: true, role: DatabaseRole.api) {
            try await grant.missing(keys, on: $0)
        }
    }

    /// Runs one statement in the directory's database.
    ///
    /// - Throws: ``DirectoryUnavailable``, or what the body throws.
    func read<Answer: Sendable>(
        _ question: @Sendable (isolated PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        do {
            return try await pool.withStatement(role: DatabaseRole.api, question)
        } catch let error as PostgresError where own != nil && (error.isTransient || error.code == .refused) {
            throw DirectoryUnavailable(reason: error)
        }
    }
}

/// The directory's separate database does not answer.
package struct DirectoryUnavailable: Error, Sendable, CustomStringConvertible {
    /// The error of the connection or of the statement.
    package let reason: PostgresError

    /// The description of the reason.
    package var description: String { "\(reason)" }
}
