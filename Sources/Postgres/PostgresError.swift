/// An error of PostgreSQL, or of the connection to it.
///
/// `description` is safe to log: it contains no parameter, no connection string and no password. The server's own message may
/// quote data, so only ``debugDescription`` contains it, except for connection failures, which quote none.
package struct PostgresError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The kind of an error. Programs decide by this, and by the SQLSTATE.
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
        /// No connection of the pool became free in time. The server may still answer.
        case poolExhausted
        /// A result does not have the expected shape.
        case unexpectedResult
    }

    /// The kind of the error.
    package let code: Code
    /// The SQLSTATE, five characters (PostgreSQL manual, appendix A), if the server sent one.
    package let sqlState: String?
    /// The server's primary message. It may quote data.
    package let serverMessage: String?
    /// The server's hint, if it sent one. It may quote data.
    package let hint: String?
    /// The name of the ``Query`` that failed.
    package let query: String?
    /// What happened, for people. It contains no data.
    package let message: String

    /// An error of a kind.
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

    /// The message, the name of the query and the SQLSTATE. Safe to log.
    package var description: String {
        var text = message
        if let query { text += " in \(query)" }
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        return text
    }

    /// Whether the server refused the statement because of relations, columns, types or privileges: a fault of the schema, not
    /// of the values. Classes 42 syntax error or access rule violation and 3F invalid schema name; also 0A000 and 55000, which
    /// the server gives for a view that cannot be read in its present state.
    package var isRefusal: Bool {
        guard code == .statement, let sqlState else { return false }
        return ["42", "3F"].contains { sqlState.hasPrefix($0) }
            || [SQLState.featureNotSupported, "55000"].contains(sqlState)
    }

    /// Whether no connection was available: all connections of the pool are in use, or the server allows the login no more.
    package var isForWantOfConnection: Bool { code == .poolExhausted || sqlState == SQLState.tooManyConnections }

    /// Whether a statement failed at a value, or in a function that it called: division by zero, a cast that the text does not
    /// allow, a subquery that returns several rows instead of one. Classes 21 cardinality violation, 22 data exception, 2F, 38
    /// and 39 of routines, 54 program limit exceeded, P0 PL/pgSQL.
    package var isEvaluationFault: Bool {
        guard code == .statement, let sqlState else { return false }
        return ["21", "22", "2F", "38", "39", "54", "P0"].contains { sqlState.hasPrefix($0) }
    }

    /// The description with the server's message and hint, which may quote data.
    package var debugDescription: String {
        [description, serverMessage, hint.map { "hint: \($0)" }].compactMap(\.self).joined(separator: "; ")
    }

    /// Whether the same work may succeed later, on a new connection or after some time, without a correction by anybody.
    ///
    /// Classes 08 connection, 40 rollback, 53 resources, 57P operator intervention, 58 system error; 57014, a cancelled
    /// statement; 25P03 and 25P04, with which the server ends a transaction that stalled; and 25006, which a standby gives for
    /// a write until it is promoted.
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
    /// Class 22: a text is not a value of the type.
    package static let invalidTextRepresentation = "22P02"
    /// Class 22: a parameter or a setting does not have this value.
    package static let invalidParameterValue = "22023"
    /// Class 23: a unique index already has the key.
    package static let uniqueViolation = "23505"
    /// The object, such as a role, already exists.
    package static let duplicateObject = "42710"
    /// The role lacks a privilege.
    package static let insufficientPrivilege = "42501"
    /// The relation does not exist.
    package static let undefinedTable = "42P01"
    /// The column does not exist.
    package static let undefinedColumn = "42703"
    /// The schema does not exist.
    package static let invalidSchemaName = "3F000"
    /// `lock_timeout` passed, or a lock with NOWAIT is taken.
    package static let lockNotAvailable = "55P03"
    /// The server ended the transaction to resolve a deadlock.
    package static let deadlockDetected = "40P01"
    /// The statement was cancelled, or `statement_timeout` passed.
    package static let queryCanceled = "57014"
    /// The login, the database or the server has as many connections as allowed.
    package static let tooManyConnections = "53300"
    static let featureNotSupported = "0A000"
    static let readOnlyTransaction = "25006"
    /// Texts that the database's encoding cannot represent: untranslatable_character, character_not_in_repertoire.
    static let unstorableText: Set<String> = ["22P05", "22021"]
    /// Errors of a prepared statement: its result has another type now; it does not exist; another one has its name.
    static let stalePlans: Set<String> = ["0A000", "26000", "42P05"]
}
