private import Foundation
import Testing

/// Holds the table of traps to the tests that it names.
@Suite struct TrapTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test("Every trap names a test that is there")
    func tests() throws {
        let text = try String(contentsOf: Self.root.appending(path: "Sources/XLSX/XLSX.docc/Traps.md"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| trap") }
        #expect(rows.count > 30)
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let names = (cells.last ?? "").matches(of: /`([A-Za-z]+)\.([A-Za-z0-9]+)`/)
            #expect(!names.isEmpty, "no test: \(row)")
            for name in names {
                let source = try #require(try Self.source(of: String(name.1)), "there is no suite \(name.1)")
                let before = source.range(of: "func \(name.2)(").map { source[..<$0.lowerBound] }
                // The attribute stands between the end of what comes before and the function.
                let head = before.map {
                    $0[($0.range(of: "\n    }\n", options: .backwards)?.upperBound ?? $0.startIndex)...]
                }
                #expect(head?.contains("@Test") == true, "there is no test \(name.0)")
            }
        }
    }

    /// The text of the file that holds a suite.
    private static func source(of suite: String) throws -> String? {
        let files = FileManager.default.enumerator(at: root.appending(path: "Tests"), includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            if file.lastPathComponent == "\(suite).swift" { return try String(contentsOf: file, encoding: .utf8) }
        }
        return nil
    }
}
