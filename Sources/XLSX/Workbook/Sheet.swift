/// How a sheet is read and printed.
public enum SheetLayout: Sendable {
    /// A table: a header that stays in view, with a filter; pages in landscape format.
    case table
    /// A text: no filter, and pages in portrait format.
    case page
}

/// What the workbook part needs of a finished sheet.
struct FinishedSheet {
    let name: String
    let lastColumn: String
    /// 1-based; 1 for a sheet with a header only.
    let lastRow: Int
    let layout: SheetLayout
}

/// The sheet that is being written.
struct Sheet {
    let name: String
    /// The requested name, from which the names of the following sheets are made.
    let baseName: String
    /// 1 for the first sheet with that name.
    let number: Int
    let columns: [Column]
    let layout: SheetLayout
    let lastColumn: String
    /// The maximum size of a row, in bytes of XML: 32,767 characters in each cell, written as `_xHHHH_`.
    let largestRow: Int
    /// Rows that were written, including the header.
    var rows = 0
    /// Bytes of XML that the ZIP entry has taken.
    var bytes = 0

    init(name: String, baseName: String, number: Int, columns: [Column], layout: SheetLayout = .table) {
        self.name = name
        self.baseName = baseName
        self.number = number
        self.columns = columns
        self.layout = layout
        lastColumn = Column.letters(max(columns.count, 1) - 1)
        largestRow = columns.count * (CellText.limit * 7 + 128)
    }

    /// The maximum width of a column, in characters.
    private static let maxWidth = 60
    /// In points.
    static let rowHeight = 15
    /// The maximum in Excel, in points.
    static let maxRowHeight = 409

    /// The number of lines that a text probably takes in a column of the maximum width, at least 1: the font is proportional.
    static func lines(of text: String) -> Int {
        text.split(separator: "\n", omittingEmptySubsequences: false).reduce(0) { lines, line in
            var (count, width) = (1, 0)
            for word in line.split(separator: " ") {
                // East Asian characters and emoji are wide.
                let length = word.unicodeScalars.reduce(0) { $0 + ($1.value >= 0x3000 ? 2 : 1) }
                let isFirst = width == 0
                if !isFirst, width + 1 + length > maxWidth { (count, width) = (count + 1, 0) }
                width += length + (width == 0 ? 0 : 1)
                count += width / (maxWidth + 1)
                width %= maxWidth + 1
            }
            return lines + count
        }
    }

    /// The XML before the first row, with the widths of the columns in characters. The order of elements is that of
    /// `CT_Worksheet` (ECMA-376 Part 1, 18.3.1.99).
    func head(isFirst: Bool, widths: [Int]) -> String {
        var xml = XMLParts.declaration + "<worksheet xmlns=\"\(XMLParts.main)\">"
        xml += "<sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr><sheetViews>"
        xml += "<sheetView\(isFirst ? " tabSelected=\"1\"" : "") workbookViewId=\"0\">"
        if layout == .table {
            xml += "<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>"
            xml += "<selection pane=\"bottomLeft\" activeCell=\"A2\" sqref=\"A2\"/>"
        }
        xml += "</sheetView></sheetViews>"
        xml += "<sheetFormatPr defaultRowHeight=\"\(Self.rowHeight)\"/><cols>"
        for (index, column) in columns.enumerated() {
            let width = min(widths[index], Self.maxWidth) + 1
            xml += "<col min=\"\(index + 1)\" max=\"\(index + 1)\" width=\"\(width)\" style=\"\(column.kind.style)\""
            xml += " customWidth=\"1\"/>"
        }
        return xml + "</cols><sheetData>"
    }

    /// The XML after the last row.
    var tail: String {
        let range = "A1:\(lastColumn)\(max(rows, 1))"
        return "</sheetData>" + (layout == .table ? "<autoFilter ref=\"\(range)\"/>" : "")
            + "<pageMargins left=\"0.5\" right=\"0.5\" top=\"0.5\" bottom=\"0.5\" header=\"0.3\" footer=\"0.3\"/>"
            + "<pageSetup orientation=\"\(layout == .table ? "landscape" : "portrait")\" fitToHeight=\"0\"/>"
            + "<ignoredErrors><ignoredError sqref=\"\(range)\" numberStoredAsText=\"1\"/></ignoredErrors></worksheet>"
    }
}
