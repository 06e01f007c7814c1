/// What the workbook part needs of a finished sheet.
struct FinishedSheet {
    let name: String
    let lastColumn: String
    /// 1-based; 1 for a sheet with a header only.
    let lastRow: Int
}

/// The sheet that is being written.
struct Sheet {
    let name: String
    /// The requested name, from which the names of the following sheets are made.
    let baseName: String
    /// 1 for the first sheet with that name.
    let number: Int
    let columns: [Column]
    let lastColumn: String
    /// The maximum size of a row, in bytes of XML: 32,767 characters in each cell, written as `_xHHHH_`.
    let largestRow: Int
    /// Rows that were written, including the header.
    var rows = 0
    /// Bytes of XML that the ZIP entry has taken.
    var bytes = 0

    init(name: String, baseName: String, number: Int, columns: [Column]) {
        self.name = name
        self.baseName = baseName
        self.number = number
        self.columns = columns
        lastColumn = Column.letters(max(columns.count, 1) - 1)
        largestRow = columns.count * (CellText.limit * 7 + 128)
    }

    /// The XML before the first row, with the widths of the columns in characters. The order of elements is that of
    /// `CT_Worksheet` (ECMA-376 Part 1, 18.3.1.99).
    func head(isFirst: Bool, widths: [Int]) -> String {
        var xml = XMLParts.declaration + "<worksheet xmlns=\"\(XMLParts.main)\">"
        xml += "<sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr><sheetViews>"
        xml += "<sheetView\(isFirst ? " tabSelected=\"1\"" : "") workbookViewId=\"0\">"
        xml += "<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>"
        xml += "<selection pane=\"bottomLeft\" activeCell=\"A2\" sqref=\"A2\"/></sheetView></sheetViews>"
        xml += "<sheetFormatPr defaultRowHeight=\"15\"/><cols>"
        for (index, column) in columns.enumerated() {
            let style = column.kind == .date ? XMLParts.Style.date : XMLParts.Style.text
            let width = min(widths[index], 60) + 1
            xml += "<col min=\"\(index + 1)\" max=\"\(index + 1)\" width=\"\(width)\" style=\"\(style)\""
            xml += " customWidth=\"1\"/>"
        }
        return xml + "</cols><sheetData>"
    }

    /// The XML after the last row.
    var tail: String {
        let range = "A1:\(lastColumn)\(max(rows, 1))"
        return "</sheetData><autoFilter ref=\"\(range)\"/>"
            + "<pageMargins left=\"0.5\" right=\"0.5\" top=\"0.5\" bottom=\"0.5\" header=\"0.3\" footer=\"0.3\"/>"
            + "<pageSetup orientation=\"landscape\" fitToHeight=\"0\"/>"
            + "<ignoredErrors><ignoredError sqref=\"\(range)\" numberStoredAsText=\"1\"/></ignoredErrors></worksheet>"
    }
}
