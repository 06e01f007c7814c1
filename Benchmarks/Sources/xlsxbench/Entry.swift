private import ArgumentParser
private import Foundation
private import XLSX

/// Measures the workbook writer alone, on one thread, on rows that are in memory. Not installed.
///
/// The rows are a file of the report as `psql` writes it with `COPY … TO (FORMAT text)`: fields between tabs, `\N` for none,
/// days as `yyyy-mm-dd` in the columns that `--dates` names.
@main
private struct XLSXBench: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "xlsxbench", abstract: "Measure the workbook writer.")

    @Argument(help: "The rows, in COPY's text format.") var rows: String
    @Option(help: "Compress with zlib at this level, from 0 to 9, instead of the template-aware compressor.") var level: Int?
    @Option(help: "Blocks that are compressed side by side.") var threads = 1
    @Option(help: "How often the rows are written, each time to a workbook of its own.") var rounds = 3
    @Option(help: "Columns with days, from 0.") var dates: [Int] = [7, 8]
    @Option(help: "Keep the last workbook in this file.") var output: String?
    @Option(help: "The memory of the table of shared strings, in bytes.") var sharedStrings = 8 * 1024 * 1024
    @Flag(help: "Leave out the places of rows and cells.") var noCellReferences = false

    func run() throws {
        let data = try Data(contentsOf: URL(filePath: rows), options: .alwaysMapped)
        let table = Table(data.span, dates: Set(dates))
        var options = WorkbookOptions()
        options.compression = level.map { .level($0) } ?? .template
        options.compressionThreads = threads
        options.cellReferences = !noCellReferences
        options.sharedStringsCapacity = sharedStrings
        var seconds: [Double] = []
        var cpu: [Double] = []
        var size = 0
        for round in 0..<rounds {
            let sink = try Sink(keeping: round == rounds - 1 ? output : nil)
            let before = Self.cpuSeconds
            let taken = try ContinuousClock().measure { try table.write(data.span, options, to: sink) }
            cpu.append(Self.cpuSeconds - before)
            seconds.append(taken / .seconds(1))
            size = sink.size
        }
        let median = seconds.sorted()[seconds.count / 2]
        let cells = table.count * table.columns
        print(
            """
            {"rows": \(table.count), "cells": \(cells), "seconds": \(median), "cellsPerSecond": \(Double(cells) / median), \
            "cpuSeconds": \(cpu.sorted()[rounds / 2]), "bytes": \(size)}
            """)
    }

    /// The time of all cores that this process has used.
    private static var cpuSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }
}

/// The rows as views of the file's bytes, parsed before anything is measured.
private struct Table {
    private enum Cell {
        case empty
        case text(Int32, Int32)
        case day(Int32)
    }

    private var cells: [Cell] = []
    private(set) var columns = 0
    private(set) var count = 0

    init(_ bytes: Span<UInt8>, dates: Set<Int>) {
        var start = 0
        var column = 0
        for at in bytes.indices {
            let byte = bytes[at]
            guard byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n") else { continue }
            let field = bytes.extracting(start..<at)
            if field.count == 2, field[0] == UInt8(ascii: "\\"), field[1] == UInt8(ascii: "N") {
                cells.append(.empty)
            } else if dates.contains(column) {
                cells.append(.day(Self.day(field)))
            } else {
                cells.append(.text(Int32(start), Int32(field.count)))
            }
            start = at + 1
            column += 1
            if byte == UInt8(ascii: "\n") {
                columns = column
                column = 0
                count += 1
            }
        }
    }

    /// Days since 1970-01-01 of `yyyy-mm-dd`.
    private static func day(_ text: Span<UInt8>) -> Int32 {
        let text = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 3 else { return 0 }
        // Howard Hinnant's days_from_civil.
        let year = parts[1] <= 2 ? parts[0] - 1 : parts[0]
        let era = year / 400
        let dayOfYear = (153 * (parts[1] + (parts[1] > 2 ? -3 : 9)) + 2) / 5 + parts[2] - 1
        let yearOfEra = year - era * 400
        return Int32(era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468)
    }

    func write(_ bytes: Span<UInt8>, _ options: WorkbookOptions, to sink: any ByteSink) throws {
        let properties = WorkbookProperties(title: "Rows", creator: "xlsxbench", application: "xlsxbench", created: 0)
        let workbook = try WorkbookWriter(properties: properties, options: options, to: sink)
        try workbook.beginSheet("Rows", columns: (0..<columns).map { Column("Column \($0)") })
        let cells = cells.span
        var at = 0
        for _ in 0..<count {
            for _ in 0..<columns {
                switch cells[at] {
                case .empty: try workbook.empty()
                case .text(let start, let length): try workbook.text(bytes.extracting(Int(start)..<Int(start + length)))
                case .day(let days): try workbook.date(daysSince1970: Int(days))
                }
                at &+= 1
            }
            try workbook.endRow()
        }
        _ = try workbook.finish()
    }
}

/// Counts the bytes, and keeps them where that is wanted.
private final class Sink: ByteSink {
    private(set) var size = 0
    private let file: FileHandle?

    init(keeping path: String?) throws {
        guard let path else {
            file = nil
            return
        }
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw ValidationError("\(path) cannot be written.")
        }
        file = FileHandle(forWritingAtPath: path)
    }

    func write(_ bytes: RawSpan) throws {
        size += bytes.byteCount
        try file?.write(contentsOf: bytes.withUnsafeBytes { Data($0) })
    }
}
