public import AdminExportAPI
private import Directory
private import Postgres
private import Synchronization

/// The accounts that an administrator sees, by the rule that decides which accounts an export contains.
///
/// For consoles that have no list of their own. It reads the relations of the source contract; its login needs only the privilege to
/// read their columns.
public final class AccountList: Sendable {
    private let pool: PostgresPool
    private let keys = Mutex<KeyTypes?>(nil)

    /// Makes a list; it connects when it is first asked.
    ///
    /// - Parameters:
    ///   - database: the directory's database, as a libpq URI or key=value string.
    ///   - connections: the maximum number of connections.
    public init(database: String, connections: Int = 4) {
        var options = ConnectionOptions(connectionString: database)
        options.applicationName = "adminexport-accounts"
        options.statementTimeout = .seconds(10)
        pool = PostgresPool(options, size: connections)
    }

    /// Reads a page of the accounts that the actor sees.
    ///
    /// - Throws: ``AccountsError``.
    public func page(of actor: ActorName, _ query: AccountQuery) async throws -> AccountPage {
        do {
            return try await page(of: actor, query, mayMatch: true)
        } catch is ForeignText where !query.search.isEmpty {
            // No text of the database contains the search.
            do {
                return try await page(of: actor, query, mayMatch: false)
            } catch is ForeignText {
                throw Self.fault(of: query)
            }
        } catch is ForeignText {
            throw Self.fault(of: query)
        }
    }

    /// The error for an actor's name or a position that no text of the database can equal.
    private static func fault(of query: AccountQuery) -> AccountsError {
        if case .first = query.position {
            return AccountsError(code: .denied, message: Denial.unknownAdministrator.rawValue)
        }
        return AccountsError(
            code: .invalidPosition, message: "no account can have the key of the position; ask for the first page")
    }

    private func page(of actor: ActorName, _ query: AccountQuery, mayMatch: Bool) async throws -> AccountPage {
        let isElsewhere = if case .first = query.position { false } else { true }
        return try await reading(for: actor, takesPosition: isElsewhere) { connection, keys in
            let visible = try await VisibleAdministrators.prepare(
                for: actor.reference, includeDisabled: query.status != .enabled,
                otherGroups: OtherGroups(rawValue: query.otherGroups.rawValue) ?? .hide,
                attributes: query.attributes.map { Attribute($0) }, keys: keys, on: connection)
            let queries = AccountQueries(visible: visible, query: query, mayMatch: mayMatch)
            var rows = try await connection.query(queries.page)
            let isCut = rows.count > query.limit
            if isCut { rows.removeLast() }
            if queries.isBackwards { rows.reverse() }
            let details = try await Self.details(of: visible.permission.identity, keys, mayView: true, on: connection)
            return AccountPage(
                accounts: try rows.map { try Account($0, visible.attributes) },
                hasPrevious: queries.isBackwards ? isCut : isElsewhere,
                hasNext: queries.isBackwards ? true : isCut, matches: try await Self.count(queries, on: connection),
                actor: details, attributes: query.attributes.filter { queries.visible.attributes.contains(Attribute($0)) })
        }
    }

    /// Counts the matches, within a time limit: a count that takes too long must not fail the page.
    private static func count(_ queries: AccountQueries, on connection: isolated PostgresConnection) async throws -> Int? {
        try await connection.script(
            "count-savepoint", "SAVEPOINT counting; SET LOCAL statement_timeout = \(AccountQueries.countTimeout)")
        do {
            let matches: Int = try await connection.query(queries.count).first?.decode("matches") ?? 0
            return matches > AccountQuery.maxCounted ? nil : matches
        } catch let error as PostgresError where error.sqlState == SQLState.queryCanceled {
            try await connection.script("count-rollback", "ROLLBACK TO SAVEPOINT counting")
            return nil
        }
    }

    /// Reads who the actor is; nil if there is no such administrator, or if there are several.
    ///
    /// - Throws: ``AccountsError``.
    public func details(of actor: ActorName) async throws -> ActorDetails? {
        do {
            return try await knownDetails(of: actor)
        } catch is ForeignText {
            return nil
        }
    }

    /// Returns the further columns that the actor may see.
    ///
    /// - Throws: ``AccountsError``.
    public func attributes(_ attributes: [ServiceInfo.Attribute], of actor: ActorName) async throws -> [ServiceInfo
        .Attribute]
    {
        guard attributes.contains(where: { $0.permission != nil }) else { return attributes }
        do {
            return try await reading(for: actor) { connection, keys in
                let permission = try await ExportPermission.check(
                    actor.reference, listsPermissions: true, keys: keys, on: connection)
                let visible = attributes.map { Attribute($0) }.visible(with: permission.permissions ?? PermissionNames())
                return attributes.filter { visible.contains(Attribute($0)) }
            }
        } catch is ForeignText {
            return []
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

    /// Reads one enabled administrator of each profile of the first tenants, to try a service with.
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

    /// Runs the body's statements in one snapshot. Each actor's requests are a flow of the pool: many of one do not delay another's.
    ///
    /// - Parameter takesPosition: the caller gave a key, so a value of another type may be the caller's error.
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
            // The next call reads the types again.
            keys.withLock { $0 = nil }
            throw AccountsError(code: .sourceInvalid, message: error.description)
        } catch let error as PostgresError {
            // The text is the caller's.
            if actor != nil, error.isUnstorableText { throw ForeignText() }
            keys.withLock { $0 = nil }
            // Class 22, data exception.
            if takesPosition, error.sqlState?.hasPrefix("22") == true {
                throw AccountsError(
                    code: .invalidPosition, message: "no account can have the key of the position; ask for the first page")
            }
            throw AccountsError(code: .unavailable, message: error.description)
        }
    }
}

/// The caller's text contains a character that the database's encoding lacks.
private struct ForeignText: Error {}

extension ActorName {
    fileprivate var reference: ActorReference { .labels(tenant: tenant, email: administrator) }
}

extension Attribute {
    fileprivate init(_ attribute: ServiceInfo.Attribute) {
        self.init(
            column: attribute.column, title: attribute.title, kind: Kind(rawValue: attribute.type.rawValue) ?? .text,
            permission: attribute.permission)
    }
}

extension Account {
    fileprivate init(_ row: Row, _ attributes: [Attribute]) throws {
        key = try row.decode("key")
        name = try row.decode("name")
        email = try row.decode("email")
        phone = try row.decodeIfPresent("phone")
        profile = try row.decodeIfPresent("profile")
        mainGroup = try row.decodeIfPresent("main_group")
        secondaryGroups = try row.decode("secondary_groups")
        hiddenGroups = try row.decode("hidden_groups")
        teams = try row.decode("teams")
        created = try row.decode("created")
        updated = try row.decode("updated")
        isEnabled = try row.decode("is_enabled")
        self.attributes = try attributes.enumerated().map { index, attribute in
            let name = AccountQueries.name(ofAttribute: index)
            return switch attribute.kind {
            case .text: try row.decodeIfPresent(name, as: String.self).map { .text($0) }
            case .date: try row.decodeIfPresent(name, as: String.self).map { .day($0) }
            case .datetime: try row.decodeIfPresent(name, as: String.self).map { .time($0) }
            case .boolean: try row.decodeIfPresent(name, as: Bool.self).map { .flag($0) }
            case .list: try row.decodeIfPresent(name, as: [String].self).map { .list($0) }
            }
        }
    }
}
