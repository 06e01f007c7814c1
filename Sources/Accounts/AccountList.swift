public import AdminExportAPI
private import Directory
private import Postgres
private import Synchronization

/// The accounts that an administrator sees: by the rule that decides which of them an export holds.
///
/// For consoles that have no list of their own. It reads the source contract's relations with a login that needs nothing but to
/// read their columns.
public final class AccountList: Sendable {
    private let pool: PostgresPool
    private let keys = Mutex<KeyTypes?>(nil)

    /// - Parameters:
    ///   - database: a libpq URI or key=value string.
    ///   - connections: how many, at most.
    public init(database: String, connections: Int = 4) {
        var options = ConnectionOptions(connectionString: database)
        options.applicationName = "adminexport-accounts"
        options.statementTimeout = .seconds(10)
        pool = PostgresPool(options, size: connections)
    }

    /// A page of what the actor sees.
    ///
    /// - Throws: ``AccountsError``.
    public func page(of actor: ActorName, _ query: AccountQuery) async throws -> AccountPage {
        do {
            return try await page(of: actor, query, mayMatch: true)
        } catch is ForeignText where !query.search.isEmpty {
            // What no text of the database can hold is in none of them.
            do {
                return try await page(of: actor, query, mayMatch: false)
            } catch is ForeignText {
                throw Self.fault(of: query)
            }
        } catch is ForeignText {
            throw Self.fault(of: query)
        }
    }

    /// The error for an actor's name or a position that the database cannot hold: no account has it.
    private static func fault(of query: AccountQuery) -> AccountsError {
        if case .first = query.position {
            return AccountsError(code: .denied, message: Denial.unknownAdministrator.rawValue)
        }
        return AccountsError(code: .invalidPosition, message: "there is no such page")
    }

    private func page(of actor: ActorName, _ query: AccountQuery, mayMatch: Bool) async throws -> AccountPage {
        let isElsewhere = if case .first = query.position { false } else { true }
        return try await reading(for: actor, takesPosition: isElsewhere) { connection, keys in
            let visible = try await VisibleAdministrators.prepare(
                for: actor.reference, includeDisabled: query.status != .enabled, keys: keys, on: connection)
            let queries = AccountQueries(visible: visible, query: query, mayMatch: mayMatch)
            var rows = try await connection.query(queries.page)
            let isCut = rows.count > query.limit
            if isCut { rows.removeLast() }
            if queries.isBackwards { rows.reverse() }
            let details = try await Self.details(of: visible.permission.identity, keys, mayView: true, on: connection)
            return AccountPage(
                accounts: try rows.map { try Account($0) }, hasPrevious: queries.isBackwards ? isCut : isElsewhere,
                hasNext: queries.isBackwards ? true : isCut, matches: try await Self.count(queries, on: connection),
                actor: details)
        }
    }

    /// A count is worth a moment, and not the page: many rows match only what many rows do not.
    private static func count(_ queries: AccountQueries, on connection: isolated PostgresConnection) async throws -> Int? {
        try await connection.script(
            "count-savepoint", "SAVEPOINT counting; SET LOCAL statement_timeout = \(AccountQueries.longestCount)")
        do {
            let matches: Int = try await connection.query(queries.count).first?.decode("matches") ?? 0
            return matches > AccountQuery.mostCounted ? nil : matches
        } catch let error as PostgresError where error.sqlState == SQLState.queryCanceled {
            try await connection.script("count-rollback", "ROLLBACK TO SAVEPOINT counting")
            return nil
        }
    }

    /// Who the actor is; nil where there is no such administrator, or several.
    ///
    /// - Throws: ``AccountsError``.
    public func details(of actor: ActorName) async throws -> ActorDetails? {
        do {
            return try await knownDetails(of: actor)
        } catch is ForeignText {
            return nil
        }
    }

    private func knownDetails(of actor: ActorName) async throws -> ActorDetails? {
        try await reading(for: actor) { connection, keys in
            let identity: ActorIdentity
            do {
                identity = try await ActorIdentity.find(actor.reference, keys: keys, on: connection)
            } catch DirectoryError.denied {
                return nil
            }
            let mayView: Bool
            do {
                _ = try await ExportPermission.check(actor.reference, keys: keys, on: connection)
                mayView = true
            } catch DirectoryError.denied {
                mayView = false
            }
            return try await Self.details(of: identity, keys, mayView: mayView, on: connection)
        }
    }

    private static func details(
        of identity: ActorIdentity, _ keys: KeyTypes, mayView: Bool, on connection: isolated PostgresConnection
    ) async throws -> ActorDetails {
        guard let row = try await connection.query(AccountQueries.person(identity, keys)).first else {
            throw DirectoryError.denied(.unknownAdministrator)
        }
        return ActorDetails(
            name: try row.decodeIfPresent("name") ?? "", tenantName: try row.decodeIfPresent("tenant") ?? "",
            timeZone: try row.decodeIfPresent("time_zone") ?? "", mayView: mayView)
    }

    /// An administrator of each profile of the first tenants, to try a service with.
    ///
    /// - Throws: ``AccountsError``.
    public func examples() async throws -> [ExampleActor] {
        try await reading(for: nil) { connection, _ in
            try await connection.query(AccountQueries.examples).map { row in
                ExampleActor(
                    tenant: try row.decode("slug"), tenantName: try row.decode("tenant"), email: try row.decode("email"),
                    name: try row.decode("name"), profile: try row.decode("profile"))
            }
        }
    }

    /// One snapshot for all statements of the body. Whoever asks for much waits, and not those beside them.
    ///
    /// - Parameter takesPosition: whether a value that is none of its type may have come from the caller.
    private func reading<Result: Sendable>(
        for actor: ActorName?, takesPosition: Bool = false,
        _ body: @escaping @Sendable (isolated PostgresConnection, KeyTypes) async throws -> Result
    ) async throws -> Result {
        do {
            let known = keys.withLock { $0 }
            let (result, found) = try await PostgresPool.withFlowKey(actor?.hashValue ?? 0) {
                try await pool.withConnection { connection in
                    try await connection.withTransaction(isolation: .repeatableRead, readOnly: true) { connection in
                        let keys = if let known { known } else { try await KeyTypes.load(connection) }
                        return (try await body(connection, keys), keys)
                    }
                }
            }
            keys.withLock { $0 = found }
            return result
        } catch let error as DirectoryError {
            if case .denied(let denial) = error { throw AccountsError(code: .denied, message: denial.rawValue) }
            // The next one looks at the types anew.
            keys.withLock { $0 = nil }
            throw AccountsError(code: .sourceInvalid, message: error.description)
        } catch let error as PostgresError {
            // The text is the caller's, and nothing of the directory's.
            if actor != nil, error.isUnstorableText { throw ForeignText() }
            keys.withLock { $0 = nil }
            // Class 22, data exception.
            if takesPosition, error.sqlState?.hasPrefix("22") == true {
                throw AccountsError(code: .invalidPosition, message: "there is no such page")
            }
            throw AccountsError(code: .unavailable, message: error.description)
        }
    }
}

/// A text was given that the database's encoding cannot hold.
private struct ForeignText: Error {}

extension ActorName {
    fileprivate var reference: ActorReference { .labels(tenant: tenant, email: administrator) }
}

extension Account {
    fileprivate init(_ row: Row) throws {
        key = try row.decode("key")
        name = try row.decode("name")
        email = try row.decode("email")
        phone = try row.decodeIfPresent("phone")
        profile = try row.decodeIfPresent("profile")
        mainGroup = try row.decodeIfPresent("main_group")
        secondaryGroups = try row.decode("secondary_groups")
        teams = try row.decode("teams")
        created = try row.decode("created")
        updated = try row.decode("updated")
        isEnabled = try row.decode("is_enabled")
    }
}
