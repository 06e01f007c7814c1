import Foundation
import Testing

/// Readers of workbooks that this project did not write.
enum Readers: String, CaseIterable, Sendable {
    case openpyxl, calamine, libreoffice

    /// LibreOffice is large, so a machine may not have it.
    var isHere: Bool {
        guard self == .libreoffice else { return true }
        return ["/usr/bin", "/usr/local/bin"].contains { FileManager.default.isExecutableFile(atPath: $0 + "/soffice") }
    }

    /// The first sheet's rows.
    ///
    /// The reader runs outside the task pool, because the other tests need its few threads.
    func rows(of workbook: [UInt8]) async throws -> [[String]] {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try read(workbook) }) }
        }
    }

    private func read(_ workbook: [UInt8]) throws -> [[String]] {
        try JSONDecoder().decode([[String]].self, from: Self.run("read.py", [rawValue], workbook))
    }

    /// The decoders of DEFLATE that inflate every part of the workbook to the same bytes; zlib and those that the machine has.
    static func decoders(of workbook: [UInt8]) throws -> [Substring] {
        String(decoding: try run("inflate.py", [], workbook), as: UTF8.self).split { $0.isWhitespace }
    }

    /// What a program of this folder prints about a workbook.
    private static func run(_ program: String, _ arguments: [String], _ workbook: [UInt8]) throws -> Data {
        let path = NSTemporaryDirectory() + "readers-\(UUID().uuidString).xlsx"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(workbook).write(to: URL(filePath: path))
        let python = try #require(
            ProcessInfo.processInfo.environment["TEST_PYTHON"], "TEST_PYTHON is not set: run the tests with make test")
        let process = Process()
        process.executableURL = URL(filePath: python)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: program)
        process.arguments = [script.path] + arguments + [path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(program) \(arguments) cannot read the workbook")
        return output
    }
}
