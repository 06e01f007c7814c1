internal import Postgres

/// Reads the groups and teams of pages of administrators, in the same snapshot and the same order.
struct LinkReader {
    let queries: SnapshotQueries
    /// Up to so many links are read without a COPY.
    let few: Int
    private let buffers = PageBuffers()

    /// - Parameter total: the administrators that there are.
    init(queries: SnapshotQueries, total: Int) {
        self.queries = queries
        few = total <= PageReader.few ? PageReader.fewLinks : 0
    }

    /// Completes a page and passes it on, in several where its links are too many to be held at once.
    func complete(
        _ page: RowPage, on connection: isolated PostgresConnection, _ pass: (RowPage) async -> Void
    ) async throws {
        var rest = [page]
        while let page = rest.popLast() {
            try Task.checkCancellation()
            if case .keys(let after, let last) = page.range {
                try await connection.query(queries.setRange(after: after, last: last))
            }
            let hasGroups = try await PageReader.copy(
                queries.links("administrator_secondary_group", "group_id", page.range), few: few, into: page.groups,
                on: connection)
            let hasTeams = try await PageReader.copy(
                queries.links("administrator_team", "team_id", page.range), few: few, into: page.teams, on: connection)
            if hasGroups, hasTeams {
                await pass(page)
                continue
            }
            guard page.count > 1 else {
                throw DirectoryError.sourceInvalid("an administrator has more groups or teams than can be exported")
            }
            rest += try page.split(into: 4, buffers).reversed()
        }
    }
}
