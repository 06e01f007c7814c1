/// Rows of text in columns, for people.
package struct Table: Sendable {
    private let header: [TerminalText]
    private var rows: [[TerminalText]] = []

    package init(header: [TerminalText]) {
        self.header = header
    }

    package mutating func append(_ row: [TerminalText]) {
        precondition(row.count == header.count, "a row has as many cells as the header")
        rows.append(row)
    }

    /// Lines without trailing spaces, two spaces between columns.
    package var text: TerminalText {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].width }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, cell in
                column < row.count - 1 ? cell.padded(to: widths[column] + 2) : cell
            }.joined()
        }.joined(separator: "\n")
    }
}
