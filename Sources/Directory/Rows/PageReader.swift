internal import Postgres

/// Reads page after page of administrators within one snapshot; their links are ``LinkReader``'s.
///
/// A page is some 10,000 administrators, fewer where their rows are long: what is held is bounded in bytes, whatever the
/// rows are like.
struct PageReader {
    private static let mostRows = 10_000
    private static let firstRows = 1_000
    /// What a page of administrators should come to.
    private static let usualBytes = 3 * 1024 * 1024
    /// Where rows are given up and read again in a smaller page.
    static let mostBytes = 12 * 1024 * 1024
    /// Up to so many administrators, profiles, groups or teams, and bytes of their texts, are few.
    static let few = 1_000
    static let fewBytes = 1024 * 1024
    /// Up to so many links of few administrators are read at once.
    static let fewLinks = 4_000

    private let queries: SnapshotQueries
    /// The administrators that there are.
    private let total: Int
    private let isSmall: Bool
    private let buffers: PageBuffers
    private var read = 0
    /// The last key of the page before.
    private var after: [UInt8]?
    private var limit = PageReader.firstRows

    /// - Parameter isSmall: few administrators with short texts.
    init(queries: SnapshotQueries, total: Int, isSmall: Bool, buffers: PageBuffers) {
        self.queries = queries
        self.total = total
        self.isSmall = isSmall
        self.buffers = buffers
    }

    /// The next page, without links, or nil after the last.
    mutating func next(on connection: isolated PostgresConnection) async throws -> RowPage? {
        // There is always one statement at least: it finds administrators that the count has not.
        guard read == 0 || read < total else { return nil }
        try Task.checkCancellation()
        let page = RowPage(buffers, hasStatus: queries.includeDisabled)
        if let after { try await connection.query(queries.setLast(after)) }
        let isWhole = try await Self.read(
            queries.administrators(first: after == nil), limit: limit,
            prepared: isSmall ? Self.few : 0,
            into: page.administrators, on: connection)
        let rows = try page.measure(queries.keys.administrator)
        guard rows.count > 0, let last = rows.last else {
            guard isWhole else { throw DirectoryError.sourceInvalid("an administrator's row is too long") }
            guard read == total else { throw try await miscounted(on: connection) }
            return nil
        }
        page.count = rows.count
        // A page that is the first and the last is its own border.
        page.keys = after == nil && isWhole && rows.count == total ? .all : .keys(after: after, last: last)
        after = last
        read += rows.count
        guard read <= total else { throw try await miscounted(on: connection) }
        limit = min(Self.mostRows, max(1, Self.usualBytes / max(1, page.administrators.count / rows.count)))
        return page
    }

    /// Why there are not as many rows as were counted: what has one key at the border of two pages comes once.
    private func miscounted(on connection: isolated PostgresConnection) async throws -> DirectoryError {
        if let row = try await connection.query(queries.doubled).first {
            let key: String? = try row.decodeIfPresent("key")
            return key.map { .doubled("administrator", $0) }
                ?? .sourceInvalid(ContractFault.null("administrator", "id").description)
        }
        return .sourceInvalid(
            "\(total) rows of directory.administrator were counted, but \(read) came: its keys compare otherwise than they are "
                + "ordered")
    }

    /// Reads a statement's rows; what comes after `mostBytes` is read and dropped.
    ///
    /// - Parameters:
    ///   - limit: no more rows than this are wanted.
    ///   - most: read by a prepared statement where there are no more rows than this, for a COPY is parsed and planned each time.
    /// - Returns: whether all of it is in the buffer.
    static func read(
        _ query: Query, limit: Int = .max, prepared most: Int = 0, into buffer: CopyBuffer,
        on connection: isolated PostgresConnection,
        mostBytes: Int = PageReader.mostBytes
    ) async throws -> Bool {
        if most > 0 {
            let limited = Query(query.name, "\(query.sql) LIMIT \(min(limit, most + 1))")
            if try await connection.rows(of: limited, atMost: most, into: buffer) { return true }
        }
        let sql = limit == .max ? query.sql : "\(query.sql) LIMIT \(limit)"
        let copy = Query(query.name, "COPY (\(sql)) TO STDOUT (FORMAT binary)")
        return try await connection.withCopy(copy, bufferSize: mostBytes) { _, stream in
            guard try await stream.next(into: buffer) else { return true }
            let rest = CopyBuffer()
            var isWhole = true
            var hasMore = true
            while hasMore {
                hasMore = try await stream.next(into: rest, atLeast: 64 * 1024)
                // The trailer is two bytes, and no row is as short.
                isWhole = isWhole && rest.count <= 2
            }
            return isWhole
        }
    }
}

/// Reads the groups and teams of pages of administrators, in the same snapshot and the same order.
struct LinkReader {
    private let queries: SnapshotQueries
    private let buffers: PageBuffers
    /// Up to so many links are read by a prepared statement.
    private let most: Int

    /// - Parameter isSmall: few administrators with short texts.
    init(queries: SnapshotQueries, isSmall: Bool, buffers: PageBuffers) {
        self.queries = queries
        self.buffers = buffers
        most = isSmall ? PageReader.fewLinks : 0
    }

    /// Completes a page and passes it on, in several where its links are too many to be held at once.
    func complete(
        _ page: RowPage, on connection: isolated PostgresConnection, _ pass: (RowPage) async -> Void
    ) async throws {
        var rest = [page]
        while let page = rest.popLast() {
            try Task.checkCancellation()
            if case .keys(let after, let last) = page.keys {
                try await connection.query(queries.setRange(after: after, last: last))
            }
            page.takeLinkBuffers()
            let hasGroups = try await PageReader.read(
                queries.links("administrator_secondary_group", "group_id", page.keys), prepared: most, into: page.groups,
                on: connection)
            let hasTeams =
                hasGroups
                ? try await PageReader.read(
                    queries.links("administrator_team", "team_id", page.keys), prepared: most, into: page.teams,
                    on: connection) : false
            if hasTeams {
                await pass(page)
                continue
            }
            page.giveLinkBuffers()
            guard page.count > 1 else {
                throw DirectoryError.sourceInvalid("an administrator has more groups or teams than can be exported")
            }
            rest += try page.split(into: 4).reversed()
        }
    }
}
