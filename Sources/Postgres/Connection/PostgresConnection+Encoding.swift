private import CLibPQ

extension PostgresConnection {
    /// Encodings of a database that have every text without NUL.
    private static let complete: Set<String> = ["UTF8", "SQL_ASCII"]

    /// Those of the texts that the database's encoding can hold, in their order. The others equal nothing that is stored there.
    ///
    /// The server is asked only where its encoding may lack a character. A transaction that is under way goes on.
    package func storable(_ texts: [String]) async throws -> [String] {
        let encoding = PQparameterStatus(handle.raw, "server_encoding").map { String(cString: $0) }
        let isComplete = encoding.map(Self.complete.contains) ?? false
        var storable: [String] = []
        for text in texts where !text.utf8.contains(0) {
            // Every encoding of a server has ASCII.
            if isComplete || text.utf8.allSatisfy({ $0 < 128 }) {
                storable.append(text)
            } else if try await canHold(text) {
                storable.append(text)
            }
        }
        return storable
    }

    private func canHold(_ text: String) async throws -> Bool {
        let probe = Query("storable", "SELECT length($1::text) AS length", [.text(text)])
        let isInTransaction = session.use == .transaction
        // A statement that fails would end the transaction.
        if isInTransaction { try await script("probe", "SAVEPOINT probe") }
        do {
            try await query(probe)
        } catch let error as PostgresError where error.isUnstorableText {
            if isInTransaction { try await script("probe-undo", "ROLLBACK TO SAVEPOINT probe; RELEASE SAVEPOINT probe") }
            return false
        }
        if isInTransaction { try await script("probe-end", "RELEASE SAVEPOINT probe") }
        return true
    }
}
