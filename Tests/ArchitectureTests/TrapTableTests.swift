private import Foundation
import Testing

/// Checks that every test exists that the tables of traps and of hostile inputs name.
@Suite struct TrapTableTests {
    @Test("Every test that the table of traps names exists")
    func tests() throws {
        let text = try Repository.text(of: "Sources/XLSX/XLSX.docc/Traps.md")
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| trap") }
        #expect(rows.count > 30)
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let names = (cells.last ?? "").matches(of: /`([A-Za-z]+)\.([A-Za-z0-9]+)`/)
            #expect(!names.isEmpty, "no test: \(row)")
            for name in names { try Self.expectTest(String(name.2), of: String(name.1)) }
        }
    }

    @Test("Every test that the table of hostile inputs names exists")
    func hostile() throws {
        let text = try Repository.text(of: "Tests/Hostile.md")
        let names = text.matches(of: /([A-Z][A-Za-z]+Tests)\.([a-z][A-Za-z0-9]*)/)
        #expect(names.count > 60)
        for name in names { try Self.expectTest(String(name.2), of: String(name.1)) }
    }

    private static func expectTest(_ test: String, of suite: String) throws {
        let source = try #require(try source(of: suite), "there is no suite \(suite)")
        let before = source.range(of: "func \(test)(").map { source[..<$0.lowerBound] }
        // The attribute is between the end of the previous declaration and the function.
        let head = before.map { $0[($0.range(of: "\n    }\n", options: .backwards)?.upperBound ?? $0.startIndex)...] }
        #expect(head?.contains("@Test") == true, "there is no test \(suite).\(test)")
    }

    /// The text of the file that holds a suite.
    private static func source(of suite: String) throws -> String? {
        for folder in ["Tests", "Examples/Console/Tests"] {
            for file in try Repository.swiftFiles(in: folder) where file.path.hasSuffix("/\(suite).swift") {
                return file.text
            }
        }
        return nil
    }
}
