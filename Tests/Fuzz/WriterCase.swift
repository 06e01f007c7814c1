private import XLSX
private import XLSXTestSupport

/// After any sequence of calls, libxml2 and zlib read the given values from the workbook, or a call was refused.
enum WriterCase {
    static func run(_ input: [UInt8]) throws {
        var source = Source(input)
        var options = WorkbookOptions()
        let choice = source.byte()
        options.cellReferences = choice & 1 == 0
        options.sharedStringsCapacity = [0, 200, 6_000, 8 << 20][Int(choice >> 1 & 3)]
        options.rowsPerSheet = [2, 5, 1_000, WorkbookOptions.excelRows][Int(choice >> 3 & 3)]
        options.rowsForWidths = [0, 1, 200][Int(choice >> 5 & 3) % 3]
        options.extendedFormats = true
        if choice & 0x80 != 0 { options.bytesPerSheet = Int(source.byte()) * 4_096 }
        let level = source.byte()
        options.compression = level & 1 == 0 ? .template : level % 11 == 10 ? .automatic : .level(Int(level % 11))
        options.compressionThreads = 1 + Int(level / 11) % 4
        let sink = MemorySink()
        let properties = WorkbookProperties(
            title: String(decoding: source.bytes(), as: UTF8.self), creator: "c", application: "a", created: 0)
        let writer = try WorkbookWriter(properties: properties, options: options, to: sink)
        guard let rows = try script(&source, writer) else { return }
        let summary = try writer.finish()
        let found = try Workbook(sink.bytes)
        guard found.sheets.count == summary.sheets else { fail("\(found.sheets.count) sheets, \(summary.sheets) said") }
        // Continued sheets repeat the header. All other rows occur once, in order.
        let got = found.sheets.flatMap { $0.dropFirst() }
        guard got.count == rows.count, summary.rows == rows.count else { fail("\(got.count) rows, not \(rows.count)") }
        for (index, row) in rows.enumerated() where got[index] != row {
            let at = zip(got[index], row).enumerated().first { $1.0 != $1.1 }?.offset ?? min(got[index].count, row.count)
            let pair = (at < got[index].count ? got[index][at] : "nothing", at < row.count ? row[at] : "nothing")
            fail("row \(index), cell \(at): \(NastyText.difference(pair.0, pair.1))")
        }
    }

    /// Makes the calls and returns the expected rows; nil if the workbook has no sheet.
    private static func script(_ source: inout Source, _ writer: WorkbookWriter) throws -> [[String]]? {
        var rows: [[String]] = []
        var columns = 0
        var row: [String] = []
        while !source.isEmpty {
            do {
                switch source.byte() % 10 {
                case 0:
                    let kinds = source.bytes()
                    try writer.beginSheet(
                        String(decoding: source.bytes(), as: UTF8.self),
                        columns: kinds.map { Column("c\($0)", [.text, .date, .dateTime, .boolean][Int($0 & 3)]) },
                        layout: kinds.count == 2 ? .page : .table)
                    columns = kinds.count
                case 1:
                    let day = source.day()
                    try writer.date(daysSince1970: day)
                    row.append(expected(day: day))
                case 2:
                    try writer.empty()
                    row.append("")
                case 8:
                    // Midnight and noon have short fractions.
                    let (day, isNoon) = (source.day(), source.byte() & 1 == 1)
                    try writer.dateTime(secondsSince1970: day * 86_400 + (isNoon ? 43_200 : 0))
                    row.append(expected(day: day) + (isNoon ? ".5" : ""))
                case 9:
                    let value = source.byte() & 1 == 1
                    try writer.boolean(value)
                    row.append(value ? "1" : "0")
                case 3:
                    try writer.endRow()
                    while row.last == "" { row.removeLast() }
                    rows.append(row)
                    row = []
                default:
                    var text = source.bytes()
                    if source.byte() == 0 { text = Array(repeatElement(text, count: 40_000 / max(1, text.count)).joined()) }
                    try writer.text(text.span)
                    row.append(NastyText.expected(text))
                }
            } catch let error as XLSXError where [.unexpectedCell, .invalidSheetName, .invalidColumns].contains(error.code) {
                continue
            } catch let error as XLSXError where error.code == .finished && !row.isEmpty {
                continue  // a sheet cannot begin within a row
            }
            if row.count > columns { fail("more cells than columns were accepted") }
        }
        guard columns > 0 else { return nil }
        if !row.isEmpty {
            try writer.endRow()
            while row.last == "" { row.removeLast() }
            rows.append(row)
        }
        return rows
    }

    private static func expected(day: Int) -> String {
        let serial = day + 25_569
        if (61...2_958_465).contains(serial) { return "\(serial)" }
        fail("the day \(day) is outside Excel's calendar")
    }
}

/// A reader of bytes, one after another.
private struct Source {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func bytes() -> [UInt8] {
        let count = Int(byte())
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// Within Excel's calendar. The writer's tests check the texts of other days.
    mutating func day() -> Int {
        let number = (0..<3).reduce(0) { sum, _ in sum << 8 | Int(byte()) }
        return number % (2_932_896 + 25_508 + 1) - 25_508
    }
}
