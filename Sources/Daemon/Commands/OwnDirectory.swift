internal import Postgres

extension ServiceConfiguration {
    /// A session that may change the directory, if `directory.url` leads to another database than that of the jobs.
    ///
    /// - Returns: nil if it is the same database or a standby of it: a change in the jobs' database is enough then.
    /// - Throws: ``ConfigurationFault`` for another database's standby; ``PostgresError``.
    func connectToOwnDirectory(
        beside jobs: PostgresConnection, as purpose: String, statementTimeout: Duration
    ) async throws -> PostgresConnection? {
        guard isDirectoryApart else { return nil }
        var options = options(for: .directory, as: purpose)
        options.statementTimeout = statementTimeout
        let directory = try await PostgresConnection.connect(options)
        let place = try await DatabaseIdentity.load(on: directory)
        if try await DatabaseIdentity.load(on: jobs).isSame(as: place) { return nil }
        guard !place.isRecovering else {
            throw ConfigurationFault(
                "directory.url leads to a standby, which cannot be changed; run the command with the URL of its primary in "
                    + "ADMINEXPORT_DIRECTORY_URL")
        }
        return directory
    }
}
