internal import Postgres

/// Reads page after page of administrators within one snapshot. ``LinkReader`` reads their groups and teams.
///
/// A page holds up to 10,000 administrators, and fewer if their rows are long: its size is bounded in bytes, whatever the rows contain.
struct PageReader {
    private static let maxRows = 10_000
    private static let firstRows = 1_000
    /// The intended size of a page of administrators.
    private static let pageBytes = 3 * 1024 * 1024
    /// Rows beyond this size are dropped and read again in a smaller page.
    static let maxBytes = 12 * 1024 * 1024
    /// Up to this number of administrators, profiles, groups or teams, and this number of bytes of their texts, rows are read by prepared
    /// statements: a COPY is parsed and planned each time.
    static let maxPreparedRows = 1_000
    static let maxPreparedBytes = 1024 * 1024
    /// The same for the links of these administrators.
    static let maxPreparedLinks = 4_000

    private let queries: SnapshotQueries
    /// The number of administrators.
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
        // Even for a count of 0 there is one statement, which finds administrators that were not counted.
        guard read == 0 || read < total else { return nil }
        try Task.checkCancellation()
        let page = RowPage(buffers, queries.fields)
        if let after { try await connection.query(queries.setLast(after)) }
        let isWhole = try await Self.read(
            queries.administrators(first: after == nil), limit: limit,
            prepared: isSmall ? Self.maxPreparedRows : 0,
            into: page.administrators, on: connection)
        return try await accept(page, isWhole: isWhole, on: connection) ? page : nil
    }

    /// Checks a page that has been read, and sets which administrators it has.
    ///
    /// - Parameter isWhole: whether all rows that were asked for are in the page.
    /// - Returns: false for an empty page, after the last administrator.
    mutating func accept(_ page: RowPage, isWhole: Bool, on connection: isolated PostgresConnection) async throws -> Bool {
        let rows = try page.measure(queries.keys.administrator)
        guard rows.count > 0, let last = rows.last else {
            guard isWhole else {
                throw DirectoryError.sourceInvalid(
                    "a row of directory.administrator is larger than \(Self.maxBytes) bytes; shorten its texts")
            }
            guard read == total else { throw try await miscounted(on: connection) }
            return false
        }
        page.count = rows.count
        // A page that is the first and the last is its own border.
        page.keys = after == nil && isWhole && rows.count == total ? .all : .keys(after: after, last: last)
        after = last
        read += rows.count
        guard read <= total else { throw try await miscounted(on: connection) }
        limit = min(Self.maxRows, max(1, Self.pageBytes / max(1, page.administrators.count / rows.count)))
        return true
    }

    /// Why the number of rows differs from the count: of two rows with one key, at the border of two pages, one is read.
    private func miscounted(on connection: isolated PostgresConnection) async throws -> DirectoryError {
        if let row = try await connection.query(queries.doubled).first {
            let key: String? = try row.decodeIfPresent("key")
            return key.map { .doubled("administrator", $0) }
                ?? .sourceInvalid(ContractFault.null("administrator", "id").description)
        }
        return .sourceInvalid(
            "\(total) rows of directory.administrator were counted, but \(read) were read: the comparison and the order of its "
                + "keys differ; check the type and the collation of its column id")
    }

    /// The query limited to one row more than the limit; the extra row shows that there are more.
    static func limited(_ query: Query, to limit: Int) -> Query {
        Query(query.name, "\(query.sql) LIMIT \(limit + 1)")
    }

    /// Reads a statement's rows. Rows beyond `maxBytes` are read and dropped.
    ///
    /// - Parameters:
    ///   - limit: rows to read at most.
    ///   - maxPrepared: up to this number of rows are read by a prepared statement.
    /// - Returns: whether all rows are in the buffer.
    static func read(
        _ query: Query, limit: Int = .max, prepared maxPrepared: Int = 0, into buffer: CopyBuffer,
        on connection: isolated PostgresConnection,
        maxBytes: Int = PageReader.maxBytes
    ) async throws -> Bool {
        if maxPrepared > 0 {
            let limited = Self.limited(query, to: min(limit - 1, maxPrepared))
            if try await connection.rows(of: limited, atMost: maxPrepared, into: buffer) { return true }
        }
        let sql = limit == .max ? query.sql : "\(query.sql) LIMIT \(limit)"
        let copy = Query(query.name, "COPY (\(sql)) TO STDOUT (FORMAT binary)")
        return try await connection.withCopy(copy, bufferSize: maxBytes) { _, stream in
            guard try await stream.next(into: buffer) else { return true }
            let rest = CopyBuffer()
            var isWhole = true
            var hasMore = true
            while hasMore {
                hasMore = try await stream.next(into: rest, atLeast: 64 * 1024)
                // The trailer has two bytes; every row has more.
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
    /// Up to this number of links are read by a prepared statement.
    private let maxPrepared: Int

    /// - Parameter isSmall: few administrators with short texts.
    init(queries: SnapshotQueries, isSmall: Bool, buffers: PageBuffers) {
        self.queries = queries
        self.buffers = buffers
        maxPrepared = isSmall ? PageReader.maxPreparedLinks : 0
    }

    /// Completes a page and passes it on, in several parts if it has too many links for one.
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
                queries.links("administrator_secondary_group", "group_id", page.keys), prepared: maxPrepared,
                into: page.groups,
                on: connection)
            let hasTeams =
                hasGroups
                ? try await PageReader.read(
                    queries.links("administrator_team", "team_id", page.keys), prepared: maxPrepared, into: page.teams,
                    on: connection) : false
            if hasTeams {
                await pass(page)
                continue
            }
            page.giveLinkBuffers()
            guard page.count > 1 else {
                throw DirectoryError.sourceInvalid(
                    "an administrator has groups or teams of more than \(PageReader.maxBytes) bytes; remove some")
            }
            rest += try page.split(into: 4).reversed()
        }
    }
}
