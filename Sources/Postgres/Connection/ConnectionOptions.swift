/// How to connect, and the time limits of a connection.
package struct ConnectionOptions: Sendable {
    /// A libpq URI or key=value string. It may contain a password, so it is never printed.
    package let connectionString: String
    /// The password, if the server requests one and the connection string has none. Never printed.
    package var password: String?
    /// The name of the program in `pg_stat_activity`.
    package var applicationName = "adminexport"
    /// How long an attempt to connect may take, for each server of the connection string.
    package var connectTimeout: Duration = .seconds(3)
    /// How long one statement may run; nil for no limit. The server enforces it, and this program if the server is silent.
    package var statementTimeout: Duration? = .seconds(30)
    /// How long a silent server may take to answer a cancel request before the connection is closed.
    package var cancelGrace: Duration = .seconds(5)
    /// After this time the server ends a session that is idle in a transaction.
    package var idleInTransactionTimeout: Duration = .seconds(60)
    /// Whether role, settings and prepared statements may remain in the session, unless a pooler is detected.
    package var keepsSession = true

    /// Options with defaults. Nothing is checked here.
    package init(connectionString: String) {
        self.connectionString = connectionString
    }
}

/// Questions about a libpq connection string that libpq answers without a connection.
package enum ConnectionString {
    /// What is wrong with the connection string; nil if libpq can read it. The text quotes no value.
    package static func fault(_ text: String) -> String? {
        guard let values = connectionStringValues(text) else {
            return "it is neither a libpq URI (postgresql://…) nor a list of key=value"
        }
        let ports = values["port"]?.split(separator: ",") ?? []
        return ports.allSatisfy { UInt16($0) != nil }
            ? nil : "its port is not a number; write a / or @ in a password as %2F or %40"
    }

    /// Whether the connection string contains a password.
    package static func hasPassword(_ text: String) -> Bool { connectionStringValues(text)?["password"] != nil }

    /// Whether both strings have the same server and login, whatever the database. A server that is written in two ways counts
    /// as two.
    package static func haveOneLogin(_ one: String, _ other: String) -> Bool {
        let (one, other) = (connectionStringValues(one), connectionStringValues(other))
        return ["service", "host", "hostaddr", "port", "user"].allSatisfy { one?[$0] == other?[$0] }
    }
}
