/// Writes an `.xlsx` workbook to a sink, in one pass and in constant memory.
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
/// A sheet that is full, by rows or by bytes, continues as `Name (2)` with the same header. Only the first 200 rows, for the
/// widths of the columns (at most 1 MiB), some blocks of 512 KiB of XML, and the bounded shared-strings table are in memory.
/// Only one task may use a writer at a time. After an error the file is incomplete: discard the writer and what the sink has
/// taken.
public final class WorkbookWriter {
    private enum Phase {
        case noSheet, inSheet, finished, failed
    }

    /// From this number of bytes on, the writer passes the XML on without waiting for the end of the row.
    private static let longestRun = 2 * ZipWriter.blockSize
    private static let maxColumns = 16_384
    /// 1970-01-01 as a day number of the 1900 date system (ECMA-376 Part 1, 18.17.4.1).
    private static let epoch = 25_569
    /// From 1900-03-01, from which on Excel's calendar is correct, to 9999-12-31.
    private static let serials = 61...2_958_465
    /// About six million years before and after 1970: all days that PostgreSQL has.
    private static let days = -2_200_000_000...2_200_000_000

    private let options: WorkbookOptions
    private var zip: ZipWriter
    private let strings: SharedStrings
    private let rows: RowWriter
    private var phase = Phase.noSheet
    private var sheet = Sheet(name: "", baseName: "", number: 1, columns: [])
    private var sheets: [FinishedSheet] = []
    /// The maximum number of cells of the row; 0 without a sheet.
    private var columnCount = 0
    private var summary = WorkbookSummary()

    /// Starts the file: writes content types, relationships, properties and styles to the sink.
    ///
    /// - Throws: ``XLSXError`` of the compressor, or the error of the sink.
    public convenience init(
        properties: WorkbookProperties, options: WorkbookOptions = WorkbookOptions(), to sink: any ByteSink
    ) throws {
        try self.init(
            properties: properties, options: options,
            zip: ZipWriter(sink: sink, compression: options.compression, threads: options.compressionThreads))
    }

    init(properties: WorkbookProperties, options: WorkbookOptions, zip: ZipWriter) throws {
        self.options = options
        self.zip = zip
        strings = SharedStrings(capacity: options.sharedStringsCapacity)
        rows = RowWriter(strings: strings, hasReferences: options.cellReferences)
        try self.zip.add("[Content_Types].xml", XMLParts.contentTypes)
        try self.zip.add("_rels/.rels", XMLParts.packageRelationships)
        try self.zip.add("docProps/app.xml", XMLParts.appProperties(properties))
        try self.zip.add("docProps/core.xml", XMLParts.coreProperties(properties))
        try self.zip.add("xl/styles.xml", XMLParts.styles(isExtended: options.extendedFormats))
    }

    // MARK: Sheets

    /// Ends the current sheet, if any, begins a new one and writes its header row.
    ///
    /// - Throws: ``XLSXError`` for a name or columns that Excel does not accept; the error of the sink.
    public func beginSheet(_ name: String, columns: [Column], layout: SheetLayout = .table) throws {
        guard phase == .noSheet || phase == .inSheet, rows.column == 0 else {
            throw XLSXError(.finished, "a sheet needs a workbook that is neither finished nor failed, and no row begun")
        }
        guard !columns.isEmpty, columns.count <= Self.maxColumns, columns.allSatisfy({ $0.title.utf16.count <= 255 })
        else {
            throw XLSXError(.invalidColumns, "a sheet takes 1 to 16,384 columns with titles of up to 255 characters")
        }
        guard options.extendedFormats || !columns.contains(where: \.kind.isExtended) else {
            throw XLSXError(
                .invalidColumns,
                "a column of the kind dateTime or boolean requires the option extendedFormats; set it in WorkbookOptions")
        }
        try SheetName.validate(name, among: sheets.map(\.name) + (phase == .inSheet ? [sheet.name] : []))
        if phase == .inSheet { try endSheet() }
        try openSheet(Sheet(name: name, baseName: name, number: 1, columns: columns, layout: layout))
    }

    private func openSheet(_ next: Sheet) throws {
        sheet = next
        phase = .inSheet
        columnCount = sheet.columns.count
        rows.begin(sheet.columns)
        zip.beginEntry("xl/worksheets/sheet\(sheets.count + 1).xml")
        rows.beginRow(1)
        for column in sheet.columns { rows.title(column.title) }
        try closeRow()
    }

    private func endSheet() throws {
        writeHead(isEnd: true)
        rows.output.append(sheet.tail)
        try emitting { try zip.endEntry(rows.output, rows.hints) }
        sheets.append(
            FinishedSheet(name: sheet.name, lastColumn: sheet.lastColumn, lastRow: sheet.rows, layout: sheet.layout))
        columnCount = 0
    }

    /// The head comes before the first rows, which are held back because the head contains the widths that they need.
    private func writeHead(isEnd: Bool) {
        guard rows.isSampling else { return }
        rows.isSampling = false
        let head = sheet.head(isFirst: sheets.isEmpty, widths: rows.widths)
        let whole = OutputBuffer(capacity: rows.output.count + head.utf8.count + 4 * 1024)
        if !isEnd { whole.prepareForBlock() }
        whole.append(head)
        rows.hints.shift(by: whole.count)
        whole.append(rows.output)
        rows.output.exchange(with: whole)
    }

    private func flush() throws {
        writeHead(isEnd: false)
        sheet.bytes += rows.output.count
        try emitting { try zip.write(rows.output, rows.hints) }
    }

    /// After an error of the sink or the compressor, further parts would make a file that looks complete and is not.
    private func emitting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            phase = .failed
            columnCount = 0
            throw error
        }
    }

    // MARK: Cells

    /// Writes the next cell of the row: a text, in UTF-8.
    ///
    /// An empty text leaves the cell empty. A text is never a formula. ``WorkbookSummary`` counts the texts that did not fit a
    /// cell.
    @inline(__always)
    public func text(_ utf8: Span<UInt8>) throws {
        try beginCell()
        rows.text(utf8)
        if rows.output.count >= Self.longestRun { try flush() }
    }

    /// The same for bytes at an address.
    @available(*, deprecated, message: "pass a Span<UInt8>")
    public func text(_ utf8: UnsafeBufferPointer<UInt8>) throws {
        // SAFETY: the caller guarantees the bytes during the call.
        try unsafe text(Span(_unsafeElements: utf8))
    }

    /// Writes the next cell of the row: a text.
    public func text(_ string: String) throws {
        try text(string.utf8.span)
    }

    /// Writes the next cell of the row: a day.
    ///
    /// Excel's calendar is correct from 1900-03-01 to 9999-12-31; before that, it contains a day that did not exist. Other days
    /// become text, `yyyy-mm-dd`. A day more than six million years from 1970 is an error.
    public func date(daysSince1970 days: Int) throws {
        guard Self.days.contains(days) else {
            throw XLSXError(.unexpectedCell, "the day \(days) is beyond any calendar")
        }
        let serial = days + Self.epoch
        guard Self.serials.contains(serial) else { return try date(text: CivilDate(daysSince1970: days).iso8601) }
        try beginCell()
        rows.date(serial: serial)
    }

    /// Writes the next cell of the row: a date that is not a day, such as a database's `infinity`. It becomes text, and counts
    /// as a day that Excel's calendar does not have.
    public func date(text: String) throws {
        try self.text(text)
        summary.datesAsText += 1
    }

    /// Writes the next cell of the row: a date with a time. Needs ``WorkbookOptions/extendedFormats``.
    ///
    /// Times on days that Excel's calendar does not have become text, `yyyy-mm-dd hh:mm:ss`; see ``date(daysSince1970:)``.
    ///
    /// - Parameter seconds: since 1970-01-01 00:00 on the same clock: a cell has no time zone.
    public func dateTime(secondsSince1970 seconds: Int) throws {
        try checkFormats()
        let (quotient, remainder) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let (days, second) = remainder < 0 ? (quotient - 1, remainder + 86_400) : (quotient, remainder)
        guard Self.days.contains(days) else {
            throw XLSXError(.unexpectedCell, "the day \(days) is beyond any calendar")
        }
        let serial = days + Self.epoch
        guard Self.serials.contains(serial) else {
            return try date(text: CivilDate.text(daysSince1970: days, second: second, separator: " "))
        }
        try beginCell()
        rows.dateTime(serial: serial, second: second)
    }

    /// Writes the next cell of the row: TRUE or FALSE. Needs ``WorkbookOptions/extendedFormats``.
    public func boolean(_ value: Bool) throws {
        try checkFormats()
        try beginCell()
        rows.boolean(value)
    }

    /// Writes a row of two cells: a label in bold, and a text that continues in further lines if it is wider than the column. Needs
    /// ``WorkbookOptions/extendedFormats``.
    ///
    /// The row states its height, because LibreOffice computes none when it opens a file. The height is an estimate from the number of
    /// characters.
    public func labelledRow(_ label: String, _ text: String) throws {
        try checkFormats()
        guard columnCount >= 2, rows.column == 0 else { throw Self.unexpectedCell }
        let lines = max(Sheet.lines(of: label), Sheet.lines(of: text))
        try beginRow(height: lines > 1 ? min(lines * Sheet.rowHeight, Sheet.maxRowHeight) : nil)
        rows.wrapped(label.utf8.span, style: XMLParts.Style.label)
        rows.wrapped(text.utf8.span, style: XMLParts.Style.wrapped)
        try endRow()
    }

    @inline(__always)
    private func checkFormats() throws {
        guard options.extendedFormats else {
            throw XLSXError(
                .unexpectedCell,
                "times, booleans and labelled rows require the option extendedFormats; set it in WorkbookOptions")
        }
    }

    /// Leaves the next cell of the row empty.
    @inline(__always)
    public func empty() throws {
        try beginCell()
        rows.empty()
    }

    /// Ends the row. Its remaining cells stay empty.
    public func endRow() throws {
        guard phase == .inSheet else { throw XLSXError(.unexpectedCell, "a row needs a sheet") }
        if rows.column == 0 { try beginRow() }
        try closeRow()
        summary.rows &+= 1
    }

    @inline(__always)
    private func beginCell() throws {
        guard rows.column < columnCount else { throw Self.unexpectedCell }
        if rows.column == 0 { try beginRow() }
    }

    private static let unexpectedCell = XLSXError(
        .unexpectedCell, "a cell needs a sheet, and a row has no more cells than the sheet has columns")

    /// Begins the next sheet if the row does not fit the current one. This happens only now, so that no sheet has a header
    /// alone.
    private func beginRow(height: Int? = nil) throws {
        if sheet.rows > 1, sheet.rows >= min(options.rowsPerSheet, WorkbookOptions.excelRows) || isNearlyFull {
            try rollOver()
        }
        rows.beginRow(sheet.rows + 1, height: height)
    }

    private func closeRow() throws {
        rows.endRow()
        sheet.rows &+= 1
        let isSampled = sheet.rows > options.rowsForWidths || rows.output.count >= Self.longestRun
        if rows.isSampling ? isSampled : rows.output.count >= ZipWriter.blockSize { try flush() }
    }

    /// Whether a row of the longest possible cells could exceed the limit of the sheet's XML.
    private var isNearlyFull: Bool {
        sheet.bytes &+ rows.output.count &+ sheet.largestRow > options.bytesPerSheet
    }

    private func rollOver() throws {
        let full = sheet
        try endSheet()
        // Skips a name that the caller has already used.
        var number = full.number + 1
        while SheetName.isTaken(SheetName.continuation(of: full.baseName, number: number), among: sheets.map(\.name)) {
            number += 1
        }
        try openSheet(
            Sheet(
                name: SheetName.continuation(of: full.baseName, number: number), baseName: full.baseName, number: number,
                columns: full.columns, layout: full.layout))
    }

    // MARK: The end

    /// What the writer has written so far.
    public var progress: WorkbookSummary {
        var progress = summary
        progress.sheets = sheets.count + (phase == .inSheet ? 1 : 0)
        progress.truncatedTexts = rows.truncatedTexts
        progress.replacedTexts = rows.replacedTexts
        return progress
    }

    /// The sheets that have ended, in their order, each with the number of its rows without the header.
    public var finishedSheets: [(name: String, rows: Int)] {
        sheets.map { (name: $0.name, rows: $0.lastRow - 1) }
    }

    /// Ends the last sheet and writes the rest of the file: shared strings, the workbook part and the ZIP directory.
    ///
    /// A workbook needs at least one sheet.
    public func finish() throws -> WorkbookSummary {
        guard phase == .inSheet, rows.column == 0 else {
            throw XLSXError(.finished, "a workbook is finished once, with a sheet in it and its last row ended")
        }
        try endSheet()
        try emitting {
            zip.beginEntry("xl/sharedStrings.xml")
            try strings.write(references: rows.sharedReferences, to: rows.output) { try zip.write(rows.output) }
            try zip.endEntry(rows.output)
            try zip.add("xl/workbook.xml", XMLParts.workbook(sheets))
            try zip.add("xl/_rels/workbook.xml.rels", XMLParts.workbookRelationships(sheets: sheets.count))
            try zip.finish()
        }
        phase = .finished
        return progress
    }
}
