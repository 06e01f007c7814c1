private import ArgumentParser
private import Foundation
private import XLSX

/// Writes a workbook of rows that come as JSON: for scripts that try the writer beside others. Not installed.
///
/// Each line of standard input is `{"sheet": NAME, "columns": [TITLE or {"title": …, "kind": "text" or "date"}, …]}`, which
/// begins a sheet, or an array of cells: a string, null for none, a whole number for a day (since 1970-01-01), or
/// `{"hex": …}` for text of any bytes.
@main
private struct Rows2XLSX: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows2xlsx", abstract: "Write a workbook of rows in JSON lines.")

    @Argument(help: "The file to write.") var output: String
    @Flag(help: "Leave out the places of rows and cells.") var noCellReferences = false
    @Option(help: "DEFLATE level, 0 to 9; 6 at first and 1 from then on without one.") var level: Int?
    @Option(help: "Blocks that are compressed side by side, at most.") var threads: Int?
    @Option(help: "Rows of a sheet, with its header.") var rowsPerSheet = WorkbookOptions.excelRows
    @Option(help: "XML bytes of a sheet.") var bytesPerSheet = WorkbookOptions().bytesPerSheet
    @Option(help: "Bytes of the shared-strings table.") var sharedStrings = WorkbookOptions().sharedStringsCapacity
    @Option(help: "The document's title.") var title = "Rows"
    @Option(help: "The document's author.") var creator = "rows2xlsx"

    func run() throws {
        var options = WorkbookOptions()
        options.cellReferences = !noCellReferences
        options.compression = level.map { .level($0) } ?? .automatic
        options.compressionThreads = threads ?? options.compressionThreads
        options.rowsPerSheet = rowsPerSheet
        options.bytesPerSheet = bytesPerSheet
        options.sharedStringsCapacity = sharedStrings
        let properties = WorkbookProperties(title: title, creator: creator, application: "rows2xlsx", created: 0)
        let sink = try FileSink(path: output)
        let summary: WorkbookSummary
        do {
            let workbook = try WorkbookWriter(properties: properties, options: options, to: sink)
            while let line = readLine() {
                try JSONDecoder().decode(Line.self, from: Data(line.utf8)).write(to: workbook)
            }
            summary = try workbook.finish()
        } catch {
            try? FileManager.default.removeItem(atPath: output)
            throw error
        }
        print(
            """
            {"rows": \(summary.rows), "sheets": \(summary.sheets), "truncatedTexts": \(summary.truncatedTexts), \
            "replacedTexts": \(summary.replacedTexts), "datesAsText": \(summary.datesAsText)}
            """)
    }
}

/// A file that the workbook's bytes go to.
private final class FileSink: ByteSink {
    private let file: FileHandle

    init(path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else {
            throw ValidationError("\(path) cannot be written.")
        }
        self.file = file
    }

    func write(_ bytes: RawSpan) throws {
        try file.write(contentsOf: bytes.withUnsafeBytes { Data($0) })
    }
}

private enum Line: Decodable {
    case sheet(String, [Column])
    case row([Cell])

    enum Cell: Decodable {
        case empty
        case text([UInt8])
        case day(Int)

        private struct Bytes: Decodable {
            let hex: String
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .empty
            } else if let day = try? container.decode(Int.self) {
                self = .day(day)
            } else if let text = try? container.decode(String.self) {
                self = .text(Array(text.utf8))
            } else {
                let digits = Array(try container.decode(Bytes.self).hex)
                self = .text(
                    stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0 }
                )
            }
        }
    }

    private struct Sheet: Decodable {
        let sheet: String
        let columns: [Title]
    }

    private struct Title: Decodable {
        let column: Column

        private enum CodingKeys: String, CodingKey {
            case title, kind
        }

        init(from decoder: any Decoder) throws {
            if let title = try? decoder.singleValueContainer().decode(String.self) {
                column = Column(title)
            } else {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                let isDate = try container.decodeIfPresent(String.self, forKey: .kind) == "date"
                column = Column(try container.decode(String.self, forKey: .title), isDate ? .date : .text)
            }
        }
    }

    init(from decoder: any Decoder) throws {
        if let sheet = try? Sheet(from: decoder) {
            self = .sheet(sheet.sheet, sheet.columns.map(\.column))
        } else {
            self = .row(try [Cell](from: decoder))
        }
    }

    func write(to workbook: WorkbookWriter) throws {
        switch self {
        case .sheet(let name, let columns):
            try workbook.beginSheet(name, columns: columns)
        case .row(let cells):
            for cell in cells {
                switch cell {
                case .empty: try workbook.empty()
                case .day(let days): try workbook.date(daysSince1970: days)
                case .text(let bytes): try workbook.text(bytes.span)
                }
            }
            try workbook.endRow()
        }
    }
}
