/// How a connection is made and how long things may take on it.
package struct ConnectionOptions: Sendable {
    /// A libpq URI or key=value string; may hold a password, so it is never printed.
    package let connectionString: String
    /// For a server that asks for one, where the connection string has none. Never printed.
    package var password: String?
    /// Shown in `pg_stat_activity`.
    package var applicationName = "adminexport"
    package var connectTimeout: Duration = .seconds(3)
    /// The longest that one statement may take; set on the server and watched here. nil: no limit.
    package var statementTimeout: Duration? = .seconds(30)
    /// How long a server that went silent may take to answer a cancel request, before the connection is given up.
    package var cancelGrace: Duration = .seconds(5)
    /// After which the server ends a session that does nothing within a transaction.
    package var idleInTransactionTimeout: Duration = .seconds(60)
    /// Whether role, settings and prepared statements may stay in the session, where no pooler is found in between.
    package var keepsSession = true

    package init(connectionString: String) {
        self.connectionString = connectionString
    }
}
