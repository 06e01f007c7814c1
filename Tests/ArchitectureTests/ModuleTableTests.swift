private import Foundation
import Testing

/// Holds Package.swift to the table in ARCHITECTURE.md: a target may use what its row names, and nothing else.
@Suite struct ModuleTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The rows of the table whose first cell is a target in backquotes: `| `Jobs` | Postgres | … |`.
    private static func table() throws -> [String: Set<String>] {
        let text = try String(contentsOf: root.appending(path: "ARCHITECTURE.md"), encoding: .utf8)
        var table: [String: Set<String>] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let allowed = cells[1].split(separator: " ").map(String.init).filter { $0 != "–" }
            for target in cells[0].split(separator: ",") {
                table[target.trimmingCharacters(in: CharacterSet(charactersIn: " `"))] = Set(allowed)
            }
        }
        return table
    }

    /// What the manifest declares, read from its text: a test must not start SwiftPM within SwiftPM.
    private static func manifest() throws -> [String: Set<String>] {
        let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        var result: [String: Set<String>] = [:]
        for section in text.components(separatedBy: "targets.append(").dropFirst() {
            let isTest = section.contains(".testTarget(")
            guard !isTest, let name = section.firstMatch(of: /name: "([^"]+)"/) else { continue }
            let body = section.components(separatedBy: "\n)\n")[0]
            let ours = body.matches(of: /\n            "([^"]+)",?/).map { String($0.1) }
            result[String(name.1)] = Set(ours)
        }
        return result
    }

    private static let testSupport: Set<String> = ["TestSupport", "XLSXTestSupport", "fuzz"]

    @Test("Every target depends only on what ARCHITECTURE.md's table allows it")
    func arrows() throws {
        let table = try Self.table()
        let manifest = try Self.manifest()
        #expect(manifest.count > 15)
        for (target, dependencies) in manifest where !Self.testSupport.contains(target) {
            let allowed = try #require(table[target], "ARCHITECTURE.md has no row for \(target)")
            #expect(dependencies.subtracting(allowed).isEmpty, "\(target) uses more than its row allows")
        }
    }

    @Test("A file imports only modules that its target's row allows")
    func imports() throws {
        let table = try Self.table()
        let ours = Set(table.keys)
        let sources = Self.root.appending(path: "Sources")
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        var count = 0
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            count += 1
            let target = file.pathComponents[sources.pathComponents.count]
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /(?m)^(?:[a-z]+ )?import ([A-Za-z]+)/) where ours.contains(String(match.1)) {
                #expect(table[target]?.contains(String(match.1)) == true, "\(file.lastPathComponent) imports \(match.1)")
            }
        }
        #expect(count > 100)
    }

    @Test("A C module is imported by one Swift module only")
    func cModules() throws {
        let table = try Self.table()
        for library in table.keys where library.hasPrefix("C") && ["CLibPQ", "CZlib", "CZstd", "CSockets"].contains(library)
        {
            let users = table.filter { $0.value.contains(library) }.keys
            #expect(users.count == 1, "\(library) is used by \(users.sorted())")
        }
    }
}
