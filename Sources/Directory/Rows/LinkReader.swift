internal import Postgres

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
