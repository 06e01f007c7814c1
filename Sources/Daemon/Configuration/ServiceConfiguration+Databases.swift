internal import Postgres

extension ServiceConfiguration {
    enum Database {
        /// With the job table.
        case jobs
        /// The same, past a pooler.
        case listening
        case directory
    }

    /// Whether the directory has a URL of its own. Which database that leads to is for the servers to say.
    var isDirectoryApart: Bool { directoryURL != databaseURL }

    /// - Parameter purpose: shown in `pg_stat_activity`.
    func options(for database: Database, as purpose: String) -> ConnectionOptions {
        let (url, password) =
            switch database {
            case .jobs: (databaseURL, databasePassword)
            case .listening: (listenURL, databasePassword)
            case .directory: (directoryURL, directoryPassword)
            }
        var options = ConnectionOptions(connectionString: url)
        options.password = password
        options.applicationName = "adminexportd \(purpose)"
        options.keepsSession = keepsSessions
        return options
    }
}
