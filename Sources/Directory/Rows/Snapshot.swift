internal import AsyncAlgorithms
package import Postgres
private import Synchronization

/// What one export reads. All of it comes from one snapshot of the database, taken when the export runs.
package struct Snapshot: Sendable {
    /// The actor's permission in the snapshot.
    package let permission: ExportPermission
    /// What the rows contain of groups outside the actor's scope.
    package let otherGroups: OtherGroups
    /// When the snapshot was taken, by the database's clock.
    package let takenAt: Timestamp
    /// A digest of the types of the directory's columns; see ``DirectoryContract/check(types:keys:at:)``.
    package let types: String?
    /// The day of the snapshot in the tenant's time zone, `yyyy-mm-dd`.
    package let day: String
    /// The number of administrators in the snapshot.
    package let rowsTotal: Int
    /// Whether there are few administrators with short texts, and not too many links for one prepared statement.
    let isSmall: Bool
    /// The names of the tenant's profiles, groups and teams.
    package let references: References
    /// The groups that the actor sees; nil unless requested.
    package let groupTree: GroupTree?
    /// The further columns that the actor sees, in the order of the rows' values.
    package let attributes: [Attribute]
    /// Names and times for the sheet about the export; nil unless requested.
    package let description: SnapshotDescription?
}

/// The pages of a snapshot. Those of a small tenant have all been read; otherwise a few are read ahead while one is in use.
package struct PageStream: AsyncSequence, Sendable {
    fileprivate let channel = AsyncChannel<RowPage>()
    /// The pages, if all of them have been read.
    private let ready: [RowPage]?
    private let countElsewhere: @Sendable () async throws -> Int

    fileprivate init(ready: [RowPage]? = nil, countElsewhere: @escaping @Sendable () async throws -> Int) {
        self.ready = ready
        self.countElsewhere = countElsewhere
    }

    /// The number of links whose group or team is not in the tenant, but in another tenant in which the same person has an
    /// account. They are no fault. Counted in the same snapshot, after the last page.
    package func linksElsewhere() async throws -> Int {
        try await countElsewhere()
    }

    /// Makes the only iterator.
    package func makeAsyncIterator() -> Iterator {
        Iterator(ready: ready.map { $0[...] }, pages: channel.makeAsyncIterator())
    }

    /// Delivers the pages in the order of the administrators' keys.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate var ready: ArraySlice<RowPage>?
        fileprivate var pages: AsyncChannel<RowPage>.Iterator

        /// The next page; nil after the last one, and after the stream was cancelled.
        package mutating func next() async -> RowPage? {
            await next(isolation: nil)
        }

        /// The same, without a change of threads if the page has been read.
        package mutating func next(isolation actor: isolated (any Actor)?) async -> RowPage? {
            guard ready == nil else { return ready?.popFirst() }
            return await pages.next(isolation: actor)
        }
    }
}

extension Snapshot {
    /// Opens a snapshot, checks the actor in it, and lends it with its pages to the body.
    ///
    /// All pages of a small tenant are read before the body runs. Otherwise reading and the body run in parallel, and reading stops while
    /// nobody takes a page. An error on either side stops both and is thrown. The body must check that ``rowsTotal`` rows have come before
    /// it treats the end of the stream as complete, because a cancelled stream ends as well.
    ///
    /// - Parameters:
    ///   - attributes: the further columns that exports have, for actors who may see them.
    ///   - requestedAt: when the export was requested, for a ``description``; nil for none.
    ///   - checkTypes: checks the digest of the column types before names and administrators are read; see ``types``.
    /// - Throws: ``DirectoryError``, ``PostgresError``, `CancellationError`, or what the body throws.
    package static func read<Result: Sendable>(
        actor: ActorReference, includeDisabled: Bool, includeGroupTree: Bool = false,
        describedFor requestedAt: Timestamp? = nil,
        otherGroups: OtherGroups = .show, attributes: [Attribute] = [], keys: KeyTypes, pool: PostgresPool, role: String,
        checkTypes: @Sendable (String?) throws -> Void = { _ in },
        _ body: @escaping @Sendable (Snapshot, PageStream) async throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(isolation: .repeatableRead, readOnly: true, role: role) { connection in
            let permission = try await ExportPermission.check(
                actor, listsPermissions: attributes.needPermissions, keys: keys, on: connection)
            let queries = SnapshotQueries(
                keys: keys, includeDisabled: includeDisabled, scope: permission.scope, otherGroups: otherGroups,
                attributes: attributes.visible(with: permission.permissions ?? PermissionNames()))
            let (snapshot, ready) = try await open(
                permission, queries, includeGroupTree: includeGroupTree, describedFor: requestedAt, checkTypes: checkTypes,
                on: connection)
            let pages = PageStream(ready: ready) {
                try await linksElsewhere(queries, on: connection)
            }
            if ready != nil { return try await body(snapshot, pages) }
            // The statements of a large export are not prepared.
            let pageQueries =
                snapshot.isSmall ? queries : queries.withConstant(tenant: permission.identity.tenantKey)
            return try await withThrowingTaskGroup(of: Result?.self) { group in
                group.addTask {
                    try await produce(pageQueries, pages, of: snapshot, pool: pool, role: role, on: connection)
                    return nil
                }
                group.addTask { try await body(snapshot, pages) }
                var result: Result?
                while let next = try await group.next() { result = next ?? result }
                guard let result else { throw CancellationError() }
                return result
            }
        }
    }

    private static func linksElsewhere(
        _ queries: SnapshotQueries, on connection: isolated PostgresConnection
    ) async throws -> Int {
        var count = 0
        for (relation, column, target) in SnapshotQueries.linkRelations {
            let rows = try await connection.query(queries.linksElsewhere(relation, column, target))
            count += try rows.first?.decode("links") ?? 0
        }
        return count
    }

    /// From this number of administrators on, a second connection is worth its start.
    private static let manyRows = 20_000

    private static func produce(
        _ queries: SnapshotQueries, _ pages: PageStream, of snapshot: Snapshot, pool: PostgresPool, role: String,
        on connection: PostgresConnection
    ) async throws {
        if snapshot.rowsTotal >= manyRows {
            let shared = try await connection.exportSnapshot()
            let hasBegun = Mutex(false)
            do {
                let isDone: Bool? = try await pool.withSpareConnection { second in
                    try await second.withTransaction(
                        isolation: .repeatableRead, readOnly: true, role: role, snapshot: shared
                    ) { second in
                        hasBegun.withLock { $0 = true }
                        try await produce(queries, pages, of: snapshot, on: connection, links: second)
                        return true
                    }
                }
                if isDone == true { return }
            } catch let error as PostgresError {
                // One connection is enough. The second one may lead to another replica, which does not know the snapshot.
                if hasBegun.withLock({ $0 }) { throw error }
            }
        }
        try await produce(queries, pages, of: snapshot, on: connection)
    }

    /// Reads administrators and their links on one connection.
    private static func produce(
        _ queries: SnapshotQueries, _ pages: PageStream, of snapshot: Snapshot, on connection: isolated PostgresConnection
    ) async throws {
        let buffers = PageBuffers()
        var reader = PageReader(
            queries: queries, total: snapshot.rowsTotal, isSmall: snapshot.isSmall, buffers: buffers)
        let links = LinkReader(queries: queries, isSmall: snapshot.isSmall, buffers: buffers)
        while let page = try await reader.next(on: connection) {
            try await links.complete(page, on: connection) { await pages.channel.send($0) }
        }
        pages.channel.finish()
    }

    /// Reads administrators on one connection and their links on the other, which sees the same snapshot.
    private static func produce(
        _ queries: SnapshotQueries, _ pages: PageStream, of snapshot: Snapshot, on connection: PostgresConnection,
        links second: isolated PostgresConnection
    ) async throws {
        try await second.query(setTenantQuery(snapshot.permission.identity.tenantKey))
        try await setGroups(snapshot.permission, queries, on: second)
        let buffers = PageBuffers()
        let links = LinkReader(queries: queries, isSmall: snapshot.isSmall, buffers: buffers)
        let bare = AsyncChannel<RowPage>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await read(queries, total: snapshot.rowsTotal, buffers: buffers, into: bare, on: connection)
            }
            for await page in bare {
                try await links.complete(page, on: second) { await pages.channel.send($0) }
            }
            try await group.waitForAll()
        }
        pages.channel.finish()
    }

    private static func read(
        _ queries: SnapshotQueries, total: Int, buffers: PageBuffers, into channel: AsyncChannel<RowPage>,
        on connection: isolated PostgresConnection
    ) async throws {
        // Also after a failure: the consumer must not wait for a page that never comes.
        defer { channel.finish() }
        var reader = PageReader(queries: queries, total: total, isSmall: false, buffers: buffers)
        while let page = try await reader.next(on: connection) { await channel.send(page) }
    }

    private static func set(
        _ name: StaticString, _ value: String, on connection: isolated PostgresConnection
    ) async throws {
        try await connection.query(
            Query("set-\(name)", "SELECT set_config('adminexport.\(name)', $1, true) IS NOT NULL AS done", [.text(value)]))
    }

    /// Makes the groups that the actor sees available to the statements.
    static func setGroups(
        _ permission: ExportPermission, _ queries: SnapshotQueries, on connection: isolated PostgresConnection
    ) async throws {
        guard case .groups(let roots) = permission.scope else { return }
        guard case .text(let array) = Query.Parameter.texts(roots) else { preconditionFailure("arrays are text") }
        try await set("roots", array, on: connection)
        try await connection.query(queries.visibleGroups)
    }

    /// Reads what the snapshot states about itself, the names and, for a small tenant, all pages.
    private static func open(
        _ permission: ExportPermission, _ queries: SnapshotQueries, includeGroupTree: Bool,
        describedFor requestedAt: Timestamp?, checkTypes: (String?) throws -> Void,
        on connection: isolated PostgresConnection
    ) async throws -> (Snapshot, ready: [RowPage]?) {
        let moment = try await moment(permission, queries, on: connection)
        let types: String? = try moment.decodeIfPresent("types")
        try checkTypes(types)
        let description: SnapshotDescription? =
            if let requestedAt {
                try await SnapshotDescription(queries, requestedAt: requestedAt, on: connection)
            } else {
                nil
            }
        let total: Int = try moment.decode("rows")
        /// Whether a relation's texts are known to be short and few: then they are read at once.
        func prepared(_ column: String) throws -> Int {
            let bytes: Int? = try moment.decodeIfPresent(column)
            return bytes.map { $0 <= PageReader.maxPreparedBytes } ?? false ? PageReader.maxPreparedRows : 0
        }
        let few = (
            profiles: try prepared("profile_bytes"), groups: try prepared("administrator_group_bytes"),
            teams: try prepared("team_bytes")
        )
        var isSmall = try prepared("bytes") > 0
        var (read, ready): (NameCopies?, [RowPage]?)
        if isSmall, min(few.profiles, few.groups, few.teams) > 0 {
            (read, ready) = try await readAtOnce(queries, total: total, includeGroupTree: includeGroupTree, on: connection)
            isSmall = ready != nil
        }
        var names = read ?? NameCopies()
        if read == nil {
            names.profiles = try await copyNames(queries.names("profile"), "profile", prepared: few.profiles, on: connection)
            names.groups = try await copyNames(
                queries.groupNames, "administrator_group", prepared: few.groups, on: connection)
            names.teams = try await copyNames(queries.names("team"), "team", prepared: few.teams, on: connection)
            if includeGroupTree {
                names.tree = try await copyNames(
                    queries.groupTree, "administrator_group", prepared: few.groups, on: connection)
            }
        }
        let snapshot = Snapshot(
            permission: permission, otherGroups: queries.otherGroups, takenAt: try moment.decode("taken_at"),
            types: types, day: try moment.decode("day"), rowsTotal: total, isSmall: isSmall,
            references: References(
                profiles: try ReferenceNames(copy: names.profiles, of: "profile", keys: queries.keys.profile),
                groups: try ReferenceNames(
                    copy: names.groups, of: "administrator_group", keys: queries.keys.group,
                    areAllVisible: !queries.hidesOtherGroups),
                teams: try ReferenceNames(copy: names.teams, of: "team", keys: queries.keys.team)),
            groupTree: includeGroupTree ? try GroupTree(copy: names.tree, keys: queries.keys.group) : nil,
            attributes: queries.attributes, description: description)
        return (snapshot, ready)
    }

    /// Sets the time zone, the tenant and the groups, and reads the time, the day and the counts of the snapshot. Takes one round trip,
    /// unless groups or the list of time zones must be read in between.
    private static func moment(
        _ permission: ExportPermission, _ queries: SnapshotQueries, on connection: isolated PostgresConnection
    ) async throws -> Row {
        let query = queries.moment(few: PageReader.maxPreparedRows)
        let rows: [Row]
        if case .tenant = permission.scope, !mustBeListed(permission.timeZone) {
            rows = try await naming(permission.timeZone) {
                try await connection.query(all: [
                    setTimeZoneQuery(permission.timeZone, tenant: permission.identity.tenantKey), query,
                ])[1]
            }
        } else {
            try await setTimeZone(permission, on: connection)
            try await setGroups(permission, queries, on: connection)
            rows = try await connection.query(query)
        }
        guard let moment = rows.first else { throw DirectoryError.sourceInvalid("the database gave no count") }
        return moment
    }

    /// Names and the groups that the actor sees, as they were read.
    private struct NameCopies {
        var profiles = CopyBuffer()
        var groups = CopyBuffer()
        var teams = CopyBuffer()
        var tree = CopyBuffer()
    }

    /// Reads the names, the administrators and their links of a small tenant in one round trip, because round trips take much of the time
    /// of a short export.
    ///
    /// - Returns: the names and the pages. The pages are nil if there are too many links: names and administrators were counted in the
    ///   same snapshot, links were not. Both are nil if there are more names than were counted.
    private static func readAtOnce(
        _ queries: SnapshotQueries, total: Int, includeGroupTree: Bool, on connection: isolated PostgresConnection
    ) async throws -> (NameCopies?, [RowPage]?) {
        let names = NameCopies()
        let page = RowPage(PageBuffers(), queries.fields)
        page.takeLinkBuffers()
        func buffered(_ query: Query, _ limit: Int, _ buffer: CopyBuffer) -> PostgresConnection.BufferedQuery {
            .init(PageReader.limited(query, to: limit), atMost: limit, into: buffer)
        }
        var reads = [
            buffered(queries.names("profile"), PageReader.maxPreparedRows, names.profiles),
            buffered(queries.groupNames, PageReader.maxPreparedRows, names.groups),
            buffered(queries.names("team"), PageReader.maxPreparedRows, names.teams),
        ]
        if includeGroupTree { reads.append(buffered(queries.groupTree, PageReader.maxPreparedRows, names.tree)) }
        let nameReads = reads.count
        reads.append(buffered(queries.administrators(first: true), PageReader.maxPreparedRows, page.administrators))
        for ((relation, column, _), buffer) in zip(SnapshotQueries.linkRelations, [page.groups, page.teams]) {
            reads.append(buffered(queries.links(relation, column, .all), PageReader.maxPreparedLinks, buffer))
        }
        let isWhole = try await connection.rows(of: reads)
        guard isWhole.prefix(nameReads).allSatisfy({ $0 }) else { return (nil, nil) }
        guard isWhole.allSatisfy({ $0 }) else { return (names, nil) }
        var reader = PageReader(queries: queries, total: total, isSmall: true, buffers: PageBuffers())
        guard try await reader.accept(page, isWhole: true, on: connection) else { return (names, []) }
        // A page with fewer rows than were counted: the search for the next one finds out why.
        let isAll = if page.count == total { true } else { try await reader.next(on: connection) == nil }
        return (names, isAll ? [page] : nil)
    }

    /// Turns parallel query off. To count a large tenant, several processes scan the whole table, and take more than twice the CPU time
    /// of one process that scans an index.
    private static let serial = "set_config('max_parallel_workers_per_gather', '0', true) IS NOT NULL AS serial"

    static func setTenantQuery(_ tenant: String) -> Query {
        Query(
            "set-tenant", "SELECT set_config('adminexport.tenant', $1, true) IS NOT NULL AS tenant, \(serial)",
            [.text(tenant)])
    }

    /// Sets the time zone and the tenant of the transaction: from here on, `timestamptz::date` is a day of the tenant.
    ///
    /// PostgreSQL accepts more than names of zones: it reads `Mars5` or `UTC+2` as a POSIX zone, the latter two hours *west* of
    /// Greenwich, and `5` as an offset. Nobody means that, so a name with a digit must be one that `pg_timezone_names` lists.
    static func setTimeZone(_ permission: ExportPermission, on connection: isolated PostgresConnection) async throws {
        let name = permission.timeZone
        try await naming(name) {
            _ = try await connection.query(setTimeZoneQuery(permission.timeZone, tenant: permission.identity.tenantKey))
        }
        if mustBeListed(name), try await connection.query(listedTimeZone(name)).isEmpty { throw unknownTimeZone(name) }
    }

    private static func mustBeListed(_ timeZone: String) -> Bool {
        timeZone.isEmpty || timeZone.utf8.contains { (0x30...0x39).contains($0) }
    }

    /// Runs statements that set the time zone.
    ///
    /// - Throws: ``DirectoryError/unknownTimeZone(_:)`` with the name, if PostgreSQL refuses it.
    private static func naming<Result>(
        _ timeZone: String, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError where error.query == "set-time-zone" && error.sqlState?.hasPrefix("22") == true {
            // Class 22, data exception: the zone does not exist, or the name begins like an interval.
            throw unknownTimeZone(timeZone)
        }
    }

    static func setTimeZoneQuery(_ name: String, tenant: String) -> Query {
        Query(
            "set-time-zone",
            """
            SELECT set_config('TimeZone', $1, true) IS NOT NULL AS zone,
                set_config('adminexport.tenant', $2, true) IS NOT NULL AS tenant, \(serial)
            """, [.text(name), .text(tenant)])
    }

    static func listedTimeZone(_ name: String) -> Query {
        Query("listed-time-zone", "SELECT FROM pg_timezone_names WHERE lower(name) = lower($1)", [.text(name)])
    }

    /// The name as logs and terminals can show it: its first 64 scalars (one character may be of any length), with escapes for
    /// invisible ones.
    private static func unknownTimeZone(_ name: String) -> DirectoryError {
        let shown = name.unicodeScalars.prefix(64).map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: scalar.escaped(asASCII: true)
            default: String(scalar)
            }
        }
        return .unknownTimeZone(shown.joined() + (name.unicodeScalars.count > 64 ? "..." : ""))
    }

    private static func copyNames(
        _ query: Query, _ relation: StaticString, prepared most: Int, on connection: isolated PostgresConnection
    ) async throws -> CopyBuffer {
        let buffer = CopyBuffer()
        guard try await PageReader.read(query, prepared: most, into: buffer, on: connection, maxBytes: 64 * 1024 * 1024)
        else {
            throw DirectoryError.sourceInvalid("directory.\(relation) holds over 64 MiB of names for one tenant")
        }
        return buffer
    }
}
