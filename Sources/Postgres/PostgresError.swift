/// An error of PostgreSQL, or of the connection to it.
///
/// `description` is safe to log: it contains no parameter, no connection string and no password. The server's own message may quote
/// data, so only ``debugDescription`` contains it, except for connection failures, which quote none.
package struct PostgresError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    package enum Code: Sendable {
        /// No server is reachable, or it is starting or stopping. Another attempt may succeed.
        case unreachable
        /// The connection was lost. Another attempt on a new one may succeed.
        case connectionLost
        /// The server refused the connection: password, pg_hba.conf, unknown database, unknown role.
        case refused
        /// The connection string is not valid.
        case invalidConnectionString
        /// A setting of the server, the database or the login would change what statements mean. The message says what to change.
        case unsuitable
        /// The server answered a statement with an error; see ``sqlState``.
        case statement
        /// A statement or a connection attempt exceeded its time limit.
        case timedOut
        /// No connection of the pool became free in time. The server may be well.
        case poolExhausted
        /// A result does not have the expected shape.
        case unexpectedResult
    }

    package let code: Code
    /// Five characters (PostgreSQL manual, appendix A), if the server sent them.
    package let sqlState: String?
    /// The server's primary message. It may quote data.
    package let serverMessage: String?
    package let hint: String?
    /// The name of the ``Query``.
    package let query: String?
    /// For people; contains no data.
    package let message: String

    package init(
        _ code: Code, _ message: String, sqlState: String? = nil, serverMessage: String? = nil, hint: String? = nil,
        query: String? = nil
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.serverMessage = serverMessage
        self.hint = hint
        self.query = query
    }

    package var description: String {
        var text = message
        if let query { text += " in \(query)" }
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        return text
    }

    /// Whether the server refused the statement because of relations, columns, types or privileges: a fault of the schema, not of the
    /// values. Classes 42 syntax error or access rule violation and 3F invalid schema name; 0A000 and 55000, which a
    /// view gives that cannot be read as it is.
    package var isRefusal: Bool {
        guard code == .statement, let sqlState else { return false }
        return ["42", "3F"].contains { sqlState.hasPrefix($0) }
            || [SQLState.featureNotSupported, "55000"].contains(sqlState)
    }

    /// Whether no connection was available: the pool's are in use, or the server allows the login no more.
    package var isForWantOfConnection: Bool { code == .poolExhausted || sqlState == SQLState.tooManyConnections }

    /// Whether a statement failed at a value, or in a function that it called: division by zero, a cast that the
    /// text does not allow, several rows of a subquery that may give one. Classes 21 cardinality violation, 22 data exception, 2F, 38 and
    /// 39 of routines, 54 program limit exceeded, P0 PL/pgSQL.
    package var isEvaluationFault: Bool {
        guard code == .statement, let sqlState else { return false }
        return ["21", "22", "2F", "38", "39", "54", "P0"].contains { sqlState.hasPrefix($0) }
    }

    package var debugDescription: String {
        [description, serverMessage, hint.map { "hint: \($0)" }].compactMap(\.self).joined(separator: "; ")
    }

    /// Whether the same work may succeed later, on a new connection or after a while, without a change by anybody.
    ///
    /// Classes 08 connection, 40 rollback, 53 resources, 57P operator intervention, 58 system error; 25P03 and 25P04, by
    /// which the server ends a transaction that stalled; and 25006, which a standby gives for a write until it is promoted.
    package var isTransient: Bool {
        switch code {
        case .unreachable, .connectionLost, .timedOut, .poolExhausted:
            return true
        case .refused, .invalidConnectionString, .unsuitable, .unexpectedResult:
            return false
        case .statement:
            guard let sqlState else { return false }
            return ["08", "40", "53", "58"].contains { sqlState.hasPrefix($0) } || sqlState.hasPrefix("57P")
                || [SQLState.readOnlyTransaction, "25P03", "25P04", SQLState.queryCanceled].contains(sqlState)
        }
    }
}

extension PostgresError {
    /// Whether a text contains a character that the database's encoding lacks, or NUL. No text that is stored there equals it.
    package var isUnstorableText: Bool { sqlState.map(SQLState.unstorableText.contains) ?? false }
}

/// The SQLSTATEs that the code compares with.
package enum SQLState {
    package static let invalidTextRepresentation = "22P02"
    package static let invalidParameterValue = "22023"
    package static let uniqueViolation = "23505"
    package static let duplicateObject = "42710"
    package static let insufficientPrivilege = "42501"
    package static let undefinedTable = "42P01"
    package static let undefinedColumn = "42703"
    package static let invalidSchemaName = "3F000"
    package static let lockNotAvailable = "55P03"
    package static let deadlockDetected = "40P01"
    package static let queryCanceled = "57014"
    /// Of the login, the database or the server.
    package static let tooManyConnections = "53300"
    static let featureNotSupported = "0A000"
    static let readOnlyTransaction = "25006"
    /// untranslatable_character, character_not_in_repertoire.
    static let unstorableText: Set<String> = ["22P05", "22021"]
    /// Of a prepared statement: its result has another type now; it is not there; another one has its name.
    static let stalePlans: Set<String> = ["0A000", "26000", "42P05"]
}
