private import Glibc

/// Rows of text in aligned columns.
package struct Table: Sendable {
    private let header: [TerminalText]
    private var rows: [[TerminalText]] = []

    /// A table without rows.
    package init(header: [TerminalText]) {
        self.header = header
    }

    /// Adds a row, which must have as many cells as the header.
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

/// The properties of a terminal.
package enum TerminalOutput {
    /// Whether the descriptor is a terminal that can move its cursor: `TERM` is set and is not `dumb`.
    package static func isTerminal(_ descriptor: Int32) -> Bool {
        guard isatty(descriptor) == 1 else { return false }
        // SAFETY: the text is copied, and nothing here changes the environment.
        guard let term = unsafe getenv("TERM") else { return false }
        return unsafe String(cString: term) != "dumb"
    }

    /// Columns of the terminal; 80 if it does not report them.
    package static func columns(_ descriptor: Int32) -> Int {
        var size = winsize()
        // SAFETY: the request fills one structure.
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
