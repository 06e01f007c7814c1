package import Postgres
private import Synchronization

/// The key types of the directory, known once the database has been reached.
package final class DirectoryContract: Sendable {
    private let state = Mutex(KeyTypes?.none)

    package init() {}

    /// Reads the catalogue and holds the relations to the contract.
    package func load(on connection: isolated PostgresConnection) async throws {
        let keys = try await KeyTypes.load(connection)
        state.withLock { $0 = keys }
    }

    /// - Throws: ``PostgresError/Code/unreachable`` as long as the database has not been reached.
    package var keys: KeyTypes {
        get throws {
            guard let keys = state.withLock({ $0 }) else {
                throw PostgresError(.unreachable, "the database has not been reached yet")
            }
            return keys
        }
    }
}
