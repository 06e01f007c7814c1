package import Directory
package import Postgres
private import Synchronization

/// The directory, as it is asked for those who call: in the jobs' database, or in one of its own.
///
/// In the jobs' database one transaction asks and acts. Between two databases there is no such transaction: the directory's is asked
/// first, and then acted on here, holding no connection to the one while the other is slow. What is withdrawn in between is seen by
/// the next question, which the processing and each download ask.
package final class DirectoryDatabase: Sendable {
    private enum Place {
        case withJobs
        case apart
    }

    let contract: DirectoryContract
    private let jobs: PostgresPool
    /// Connections to `directory.url`; nil where that is `database.url`.
    private let own: PostgresPool?
    /// Nil until both have been reached.
    private let place: Mutex<Place?>
    private let probe = SingleFlight<Void>()

    /// - Parameters:
    ///   - own: where the configuration names the directory apart; it may be the same database all the same, or a standby of it.
    ///   - contract: known once the directory has been reached.
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

    /// Whether the directory's session is in another database than the jobs' are.
    package static func isApart(jobs: PostgresPool, _ directory: PostgresConnection) async throws -> Bool {
        try await jobs.withConnection { jobs in
            let here = try await DatabaseIdentity.load(on: jobs)
            let there = try await DatabaseIdentity.load(on: directory)
            if here.isSame(as: there) { return false }
            // A server that has restarted meanwhile is the same server; its old session would not answer.
            return try await !DatabaseIdentity.load(on: jobs).isSame(as: there)
        }
    }

    /// The key types, once the directory has been reached.
    ///
    /// - Throws: ``DirectoryUnavailable``, or ``PostgresError`` where it is the jobs' database that has not been reached.
    var keys: KeyTypes {
        get throws {
            do {
                return try contract.keys
            } catch let error as PostgresError where own != nil {
                throw DirectoryUnavailable(reason: error)
            }
        }
    }

    /// Where the directory and the jobs have one URL they are reached together.
    ///
    /// - Throws: ``PostgresError`` as long as they have not been.
    func checkJobs() throws {
        guard own == nil, !contract.hasBeenReached else { return }
        throw PostgresError(.unreachable, "the database has not been reached yet")
    }

    /// Whether the server at `directory.url` answers now; asked at most for three seconds. True where it is the jobs' own.
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

    /// Where permissions are asked: the jobs' database, unless the directory is known to be in one of its own.
    package var pool: PostgresPool {
        if let own, isKnownApart { own } else { jobs }
    }

    /// Whether the directory is known to be in a database of its own.
    package var isKnownApart: Bool { (try? isApart) == true }

    /// Asks the directory one statement's question, and acts on the answer in a transaction on the jobs' database: the same one where
    /// that has the directory.
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

    /// Those of the grant's tenants that are not there now.
    package func missing(_ grant: TenantGrant) async throws -> [TenantName] {
        let keys = try keys
        return try await pool.withTransaction(readOnly: true, role: DatabaseRole.api) {
            try await grant.missing(keys, on: $0)
        }
    }

    /// Asks the directory's own database a question of one statement.
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

/// The directory's own database does not answer.
package struct DirectoryUnavailable: Error, Sendable, CustomStringConvertible {
    package let reason: PostgresError

    package var description: String { "\(reason)" }
}
