internal import Postgres

/// Reads page after page within one snapshot.
///
/// A page is some 10,000 administrators, fewer where their rows are long: what is held is bounded in bytes, whatever the
/// rows are like.
struct PageReader {
    private static let mostRows = 10_000
    private static let firstRows = 1_000
    /// What a page of administrators should come to.
    private static let usualBytes = 3 * 1024 * 1024
    /// Where rows are given up and read again in a smaller page.
    private static let mostBytes = 12 * 1024 * 1024

    let queries: SnapshotQueries
    private var after: String?
    private var limit = PageReader.firstRows

    init(queries: SnapshotQueries) {
        self.queries = queries
    }

    /// The next page, or nil after the last.
    mutating func next(on connection: isolated PostgresConnection) async throws -> RowPage? {
        while true {
            try Task.checkCancellation()
            let copied = try await Self.copy(queries.administrators(first: after == nil, limit: limit), on: connection)
            let rows = try Self.wholeRows(copied.bytes)
            guard rows.count > 0, let last = rows.last else {
                guard copied.isWhole else { throw DirectoryError.sourceInvalid("an administrator's row is too long") }
                return nil
            }
            try await Self.set("last", last, on: connection)
            let groups = try await Self.copy(
                queries.links("administrator_secondary_group", "group_id", first: after == nil), on: connection)
            let teams = try await Self.copy(
                queries.links("administrator_team", "team_id", first: after == nil), on: connection)
            guard groups.isWhole, teams.isWhole else {
                guard rows.count > 1 else {
                    throw DirectoryError.sourceInvalid("an administrator has more groups or teams than can be exported")
                }
                limit = max(1, rows.count / 4)
                continue
            }
            after = last
            try await Self.set("after", last, on: connection)
            limit = min(Self.mostRows, max(1, Self.usualBytes / max(1, rows.end / rows.count)))
            return RowPage(
                administrators: copied.bytes, end: rows.end, groups: groups.bytes, teams: teams.bytes, count: rows.count)
        }
    }

    static func set(_ name: StaticString, _ value: String, on connection: isolated PostgresConnection) async throws {
        try await connection.query(
            Query("set-\(name)", "SELECT set_config('adminexport.\(name)', $1, true) IS NOT NULL AS done", [.text(value)]))
    }

    /// Reads a COPY to its end; what comes after `mostBytes` is read and dropped.
    static func copy(
        _ query: Query, on connection: isolated PostgresConnection, mostBytes: Int = PageReader.mostBytes
    ) async throws -> (bytes: [UInt8], isWhole: Bool) {
        try await connection.withCopy(query) { _, stream in
            var bytes: [UInt8] = []
            var isWhole = true
            var chunk: [UInt8] = []
            while let next = try await stream.next(reusing: chunk) {
                chunk = next
                if bytes.count + chunk.count <= mostBytes, isWhole {
                    bytes.append(contentsOf: chunk)
                } else {
                    isWhole = false
                }
            }
            return (bytes, isWhole)
        }
    }

    /// Counts the rows and finds the last one's key, as the server spelt it.
    private static func wholeRows(_ bytes: [UInt8]) throws -> (count: Int, end: Int, last: String?) {
        guard !bytes.isEmpty else { return (0, 0, nil) }
        let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(
            capacity: RowPage.administratorFields)
        defer { fields.deallocate() }
        return try bytes.withUnsafeBytes { buffer in
            var cursor = try CopyCursor(buffer)
            var count = 0
            var last: String?
            while try cursor.next(fields) { count += 1 }
            if count > 0, let key = fields[1] {
                guard let text = String(validating: key, as: UTF8.self) else {
                    throw DirectoryError.sourceInvalid("an administrator's key is not UTF-8")
                }
                last = text
            }
            return (count, cursor.offset, last)
        }
    }
}
