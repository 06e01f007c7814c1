/// Writes an `.xlsx` workbook in one pass, in constant memory, straight to a sink.
///
/// ```swift
/// let workbook = try WorkbookWriter(properties: properties, to: sink)
/// try workbook.beginSheet("People", columns: [Column("Name"), Column("Born", .date)])
/// try workbook.text("Ada Lovelace")
/// try workbook.date(daysSince1970: -56_270)
/// try workbook.endRow()
/// let summary = try workbook.finish()
/// ```
///
/// A sheet that is full, by rows or by bytes, is followed by `Name (2)` with the header repeated. Nothing is buffered
/// but some 200 rows for the column widths (512 KiB at most), 64 KiB of XML, and the bounded shared-strings table. Not for use from two
/// tasks at once. After an error the file is incomplete: give up the writer and what the sink has taken.
public final class WorkbookWriter {
    private enum Phase {
        case noSheet, inSheet, finished, failed
    }

    private static let chunk = 64 * 1024
    private static let largestSample = 512 * 1024
    private static let mostColumns = 16_384
    /// 1970-01-01 as a day number of the 1900 date system (ECMA-376 Part 1, 18.17.4.1).
    private static let epoch = 25_569
    /// From 1900-03-01, where Excel's and the real calendar agree again, to 9999-12-31.
    private static let serials = 61...2_958_465
    /// Some million years to both sides of 1970.
    private static let days = -400_000_000...400_000_000

    private let options: WorkbookOptions
    private var zip: ZipWriter
    private var strings: SharedStrings
    private let rows = OutputBuffer()
    /// `12` of the row that is being written.
    private let rowDigits = OutputBuffer(capacity: 32)
    private var phase = Phase.noSheet
    private var sheet = Sheet(name: "", baseName: "", number: 1, columns: [Column("")])
    private var sheets: [FinishedSheet] = []
    private var column = 0
    /// Empty cells since the last one of the row that holds something; see ``openCell()``.
    private var skipped = 0
    private var sharedReferences = 0
    private var summary = WorkbookSummary()

    /// Starts the file: content types, relations, properties and styles go to the sink at once.
    ///
    /// - Throws: ``XLSXError`` of the compressor, or what the sink throws.
    public convenience init(
        properties: WorkbookProperties, options: WorkbookOptions = WorkbookOptions(), to sink: any ByteSink
    ) throws {
        let deflater = try ZlibDeflater(level: options.compressionLevel)
        try self.init(properties: properties, options: options, zip: ZipWriter(sink: sink, deflater: deflater))
    }

    init(properties: WorkbookProperties, options: WorkbookOptions, zip: ZipWriter) throws {
        self.options = options
        self.zip = zip
        strings = SharedStrings(capacity: options.sharedStringsCapacity)
        try self.zip.add("[Content_Types].xml", XMLParts.contentTypes)
        try self.zip.add("_rels/.rels", XMLParts.packageRelationships)
        try self.zip.add("docProps/app.xml", XMLParts.appProperties(properties))
        try self.zip.add("docProps/core.xml", XMLParts.coreProperties(properties))
        try self.zip.add("xl/styles.xml", XMLParts.styles)
    }

    // MARK: Sheets

    /// Begins a sheet and writes its header row. The sheet before it, if any, is ended.
    ///
    /// - Throws: ``XLSXError`` for a name or columns that Excel would not take; what the sink throws.
    public func beginSheet(_ name: String, columns: [Column]) throws {
        guard phase == .noSheet || phase == .inSheet, column == 0 else {
            throw XLSXError(.finished, "a sheet needs a workbook that is neither finished nor failed, and no row begun")
        }
        guard !columns.isEmpty, columns.count <= Self.mostColumns, columns.allSatisfy({ $0.title.utf16.count <= 255 })
        else {
            throw XLSXError(.invalidColumns, "a sheet takes 1 to 16,384 columns with titles of up to 255 characters")
        }
        try SheetName.validate(name, among: sheets.map(\.name) + (phase == .inSheet ? [sheet.name] : []))
        if phase == .inSheet { try endSheet() }
        try openSheet(Sheet(name: name, baseName: name, number: 1, columns: columns))
    }

    private func openSheet(_ next: Sheet) throws {
        sheet = next
        phase = .inSheet
        zip.beginEntry("xl/worksheets/sheet\(sheets.count + 1).xml")
        for column in sheet.columns {
            var title = column.title
            try title.withUTF8 { try cell($0, style: XMLParts.Style.header) }
        }
        try closeRow()
    }

    private func endSheet() throws {
        rows.append(sheet.tail)
        try flushRows()
        try emitting { try zip.endEntry() }
        sheets.append(
            FinishedSheet(name: sheet.name, lastColumn: sheet.lastColumn, lastRow: sheet.rows))
    }

    /// The head comes before the rows that have gathered, since it tells the widths they ask for.
    private func writeHead() throws {
        sheet.isSampling = false
        var head = sheet.head(isFirst: sheets.isEmpty)
        sheet.bytes += head.utf8.count
        try head.withUTF8 { head in try emitting { try zip.write(UnsafeRawBufferPointer(head)) } }
    }

    private func flushRows() throws {
        if sheet.isSampling { try writeHead() }
        sheet.bytes += rows.count
        try rows.withBytes { bytes in try emitting { try zip.write(bytes) } }
        rows.removeAll()
    }

    /// Once the sink or the compressor has failed, what comes after would make a file that looks whole and is not.
    private func emitting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            phase = .failed
            throw error
        }
    }

    // MARK: Cells

    /// The next cell of the row: a text, in UTF-8.
    ///
    /// An empty text leaves the cell empty. Text is never a formula. See ``WorkbookSummary`` for what is counted when it
    /// does not fit a cell.
    public func text(_ utf8: UnsafeBufferPointer<UInt8>) throws {
        try beginCell()
        try cell(utf8, style: XMLParts.Style.text)
    }

    /// The next cell of the row: a text.
    public func text(_ string: String) throws {
        var string = string
        try string.withUTF8 { try text($0) }
    }

    /// The next cell of the row: a day.
    ///
    /// Excel's calendar runs from 1900-03-01, before which it has a day that never was, to 9999-12-31. Other days are
    /// written as text, `yyyy-mm-dd`; days beyond a million years are not taken.
    public func date(daysSince1970 days: Int) throws {
        guard Self.days.contains(days) else {
            throw XLSXError(.unexpectedCell, "the day \(days) is beyond any calendar")
        }
        try beginCell()
        let serial = days + Self.epoch
        guard Self.serials.contains(serial) else { return try dateAsText(CivilDate(daysSince1970: days).iso8601) }
        if column == 0 { openRow() }
        openCell()
        rows.appendUnchecked(" s=\"2\"><v>")
        rows.appendUnchecked(decimal: serial)
        rows.appendUnchecked("</v></c>")
        column &+= 1
    }

    /// The next cell of the row: a date that is no day, such as a database's `infinity`. Written as text, and counted with
    /// the days that Excel's calendar does not have.
    public func date(text: String) throws {
        try beginCell()
        try dateAsText(text)
    }

    private func dateAsText(_ text: String) throws {
        summary.datesAsText += 1
        var text = text
        try text.withUTF8 { try cell($0, style: XMLParts.Style.text) }
    }

    /// The next cell of the row stays empty.
    public func empty() throws {
        try beginCell()
        if column == 0 { openRow() }
        column &+= 1
        skipped &+= 1
    }

    /// Ends the row. Cells that were not given stay empty.
    public func endRow() throws {
        guard phase == .inSheet else { throw XLSXError(.unexpectedCell, "a row needs a sheet") }
        if column == 0 { try beginCell(); openRow() }
        try closeRow()
        summary.rows &+= 1
    }

    /// A row that the sheet cannot take any more opens the next sheet, so that a sheet never ends with a header alone.
    @inline(__always)
    private func beginCell() throws {
        guard phase == .inSheet, column < sheet.columns.count else {
            throw XLSXError(.unexpectedCell, "a cell needs a sheet, and a row has no more cells than the sheet has columns")
        }
        if column == 0, sheet.rows > 1, sheet.rows >= min(options.rowsPerSheet, WorkbookOptions.excelRows) || isNearlyFull {
            try rollOver()
        }
    }

    /// Whether another row, if all its cells were as long as they can be, could take the sheet's XML past the bound.
    @inline(__always)
    private var isNearlyFull: Bool {
        sheet.bytes &+ rows.count &+ sheet.largestRow > options.bytesPerSheet
    }

    private func rollOver() throws {
        let full = sheet
        try endSheet()
        // A name that the caller has used already is passed over.
        var number = full.number + 1
        while SheetName.isTaken(SheetName.continuation(of: full.baseName, number: number), among: sheets.map(\.name)) {
            number += 1
        }
        try openSheet(
            Sheet(
                name: SheetName.continuation(of: full.baseName, number: number), baseName: full.baseName, number: number,
                columns: full.columns))
    }

    @inline(__always)
    private func openRow() {
        skipped = 0
        rows.reserve(64)
        guard options.cellReferences else { return rows.appendUnchecked("<row>") }
        rowDigits.removeAll()
        rowDigits.appendUnchecked(decimal: sheet.rows &+ 1)
        rows.appendUnchecked("<row r=\"")
        rows.appendUnchecked(UnsafeBufferPointer(start: rowDigits.base, count: rowDigits.count))
        rows.appendUnchecked("\">")
    }

    private func closeRow() throws {
        rows.reserve(16)
        rows.appendUnchecked("</row>")
        column = 0
        sheet.rows &+= 1
        let isSampled = sheet.rows > options.rowsForWidths || rows.count >= Self.largestSample
        if sheet.isSampling ? isSampled : rows.count >= Self.chunk { try flushRows() }
    }

    /// `<c r="B12"`, or `<c` alone; leaves room for 160 bytes more.
    ///
    /// Without references a cell's place is its number in the row, so empty ones before it have to stand there.
    @inline(__always)
    private func openCell() {
        if options.cellReferences {
            rows.reserve(224)
            sheet.cellPrefixes[column].withUnsafeBufferPointer { rows.appendUnchecked($0) }
            rows.appendUnchecked(UnsafeBufferPointer(start: rowDigits.base, count: rowDigits.count))
            rows.appendUnchecked("\"")
        } else {
            rows.reserve(skipped &* 4 &+ 224)
            while skipped > 0 {
                rows.appendUnchecked("<c/>")
                skipped &-= 1
            }
            rows.appendUnchecked("<c")
        }
    }

    private func cell(_ text: UnsafeBufferPointer<UInt8>, style: Int) throws {
        if column == 0 { openRow() }
        defer { column &+= 1 }
        guard !text.isEmpty else {
            skipped &+= 1
            return
        }
        if sheet.isSampling { sheet.measure(text, column: column) }
        openCell()
        rows.appendUnchecked(" s=\"")
        rows.appendUnchecked(decimal: style)
        if let index = strings.index(of: text, use: &sheet.columnUse[column]) {
            sharedReferences &+= 1
            rows.appendUnchecked("\" t=\"s\"><v>")
            rows.appendUnchecked(decimal: index)
            rows.appendUnchecked("</v></c>")
            return
        }
        rows.appendUnchecked(
            CellText.needsSpacePreserved(text)
                ? "\" t=\"inlineStr\"><is><t xml:space=\"preserve\">" : "\" t=\"inlineStr\"><is><t>")
        let faults = CellText.append(text, to: rows)
        if faults.contains(.truncated) { summary.truncatedTexts += 1 }
        if faults.contains(.replaced) { summary.replacedTexts += 1 }
        rows.reserve(32)
        rows.appendUnchecked("</t></is></c>")
        if rows.count >= Self.largestSample { try flushRows() }
    }

    // MARK: The end

    /// Ends the last sheet and writes what comes behind it: shared strings, the workbook part, the ZIP directory.
    ///
    /// A workbook needs one sheet at least.
    public func finish() throws -> WorkbookSummary {
        guard phase == .inSheet, column == 0 else {
            throw XLSXError(.finished, "a workbook is finished once, with a sheet in it and its last row ended")
        }
        try endSheet()
        try emitting {
            zip.beginEntry("xl/sharedStrings.xml")
            try strings.write(references: sharedReferences, to: rows) {
                try rows.withBytes { try zip.write($0) }
                rows.removeAll()
            }
            try rows.withBytes { try zip.write($0) }
            try zip.endEntry()
            try zip.add("xl/workbook.xml", XMLParts.workbook(sheets))
            try zip.add("xl/_rels/workbook.xml.rels", XMLParts.workbookRelationships(sheets: sheets.count))
            try zip.finish()
        }
        phase = .finished
        summary.sheets = sheets.count
        return summary
    }
}
