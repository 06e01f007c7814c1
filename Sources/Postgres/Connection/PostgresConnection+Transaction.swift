extension PostgresConnection {
    /// Runs the body in a transaction: commits when it returns, rolls back when it throws. Its error is passed on as it is.
    ///
    /// - Parameters:
    ///   - role: assumed with `SET LOCAL ROLE`, so that the transaction can do what the role may and no more,
    ///     also behind a pooler. A name from the program, never data.
    ///   - snapshot: of another transaction that is under way, to see what it sees; see ``exportSnapshot()``.
    package func withTransaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false, role: String? = nil, snapshot: SnapshotID? = nil,
        _ body: @Sendable (isolated PostgresConnection) async throws -> Result
    ) async throws -> Result {
        // In a session of our own the default is READ WRITE, or READ ONLY on a standby, where the words READ WRITE are refused.
        let access = readOnly ? " READ ONLY" : session.isOwn ? "" : " READ WRITE"
        var begin = "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(access)"
        if let snapshot { begin += "; SET TRANSACTION SNAPSHOT '\(snapshot.text)'" }
        if !session.isOwn {
            // In each one anew: the next may run on another session, and what is set for a session would stay there for strangers.
            begin += transactionSettings
            if let role { begin += "; SET LOCAL ROLE \(role)" }
        }
        do {
            // A role that may not be assumed leaves a transaction behind that has failed.
            try await withCancellation { connection in
                try connection.assume(role)
                try connection.begin(begin)
            }
            session.use = .transaction
            defer { session.use = .free }
            if let snapshot { try await withCancellation { try $0.checkServer(of: snapshot) } }
            let result = try await body(self)
            _ = try await withCancellation { try $0.runScript("commit", "COMMIT") }
            return result
        } catch {
            // A rollback that fails leaves a connection that is not idle, and such a one is not used again.
            if !isDead { _ = try? runScript("rollback", "ROLLBACK") }
            throw error
        }
    }

    private func begin(_ script: String) throws {
        do {
            try runScript("begin", script)
        } catch let error as PostgresError where error.sqlState == SQLState.featureNotSupported && !session.isOwn {
            // READ WRITE on a standby, which takes no writes until it is promoted.
            throw PostgresError(
                .statement, error.message, sqlState: SQLState.readOnlyTransaction, serverMessage: error.serverMessage,
                query: error.query)
        }
    }

    /// What the running transaction sees, for others to see too. It lasts as long as the transaction.
    package func exportSnapshot() throws -> SnapshotID {
        let rows = try run(
            Query("export-snapshot", "SELECT pg_export_snapshot() AS id, pg_postmaster_start_time() AS started")
        ).rows
        guard let row = rows.first, let snapshot = SnapshotID(try row.decode("id"), server: try row.decode("started")) else {
            throw PostgresError(.unexpectedResult, "the server's snapshot has no name", query: "export-snapshot")
        }
        return snapshot
    }

    /// Another server may have a snapshot of the same name.
    private func checkServer(of snapshot: SnapshotID) throws {
        let rows = try run(Query("started", "SELECT pg_postmaster_start_time() AS started")).rows
        guard try rows.first?.decode("started") == snapshot.server else {
            throw PostgresError(.unexpectedResult, "the connections lead to different servers", query: "started")
        }
    }

    /// A name that a server has given a snapshot. It becomes part of a statement, so it is held to what servers give.
    package struct SnapshotID: Sendable {
        let text: String
        /// When the server was started, to a microsecond: by which it is known from others.
        let server: Timestamp

        init?(_ text: String, server: Timestamp) {
            self.server = server
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || $0.isHexadecimalDigit }) else {
                return nil
            }
            self.text = text
        }
    }

    package enum IsolationLevel: String, Sendable {
        case readCommitted = "READ COMMITTED"
        case repeatableRead = "REPEATABLE READ"
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}
