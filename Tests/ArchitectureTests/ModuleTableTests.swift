private import Foundation
import Testing

/// Compares the manifest and every import with the table of modules in ARCHITECTURE.md.
@Suite struct ModuleTableTests {
    /// A target of the manifest, and the targets of this package that it declares and imports.
    private struct Target {
        let isTest: Bool
        let declared: Set<String>
        let imported: Set<String>
    }

    private struct Manifest: Decodable {
        struct Target: Decodable {
            let name: String
            let type: String
            let path: String?
            /// A dependency is an object with one member, whose first element is a name; a condition does not matter here.
            let dependencies: [[String: [Element?]]]
        }
        enum Element: Decodable {
            case name(String)
            case condition

            init(from decoder: any Decoder) throws {
                self = (try? decoder.singleValueContainer().decode(String.self)).map(Element.name) ?? .condition
            }
        }
        let targets: [Target]
    }

    /// The rows of the table whose first cell is a target in backquotes: `` | `Archive` | CZstd | … | ``.
    private static func table() throws -> [String: Set<String>] {
        let text = try Repository.text(of: "ARCHITECTURE.md")
        var table: [String: Set<String>] = [:]
        let section =
            text.components(separatedBy: "\n## Modules and arrows\n").last?.components(separatedBy: "\n## ").first ?? ""
        for line in section.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let allowed = cells[1].split(separator: " ").map(String.init).filter { $0 != "–" }
            for target in cells[0].split(separator: ",") {
                table[target.trimmingCharacters(in: CharacterSet(charactersIn: " `"))] = Set(allowed)
            }
        }
        return table
    }

    /// The targets that SwiftPM reads from the manifest. It uses its own scratch folder, because `swift test` locks the usual one.
    private static func targets() throws -> [String: Target] {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "dump-package-\(UUID())")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "swift", "package", "--package-path", Repository.root.path, "--scratch-path", scratch.path, "dump-package",
        ]
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let found = try JSONDecoder().decode(Manifest.self, from: data).targets
        let names = Set(found.map(\.name))
        return try Dictionary(
            uniqueKeysWithValues: found.map { target in
                let declared = target.dependencies.flatMap(\.values).compactMap { elements -> String? in
                    guard case .name(let name)?? = elements.first else { return nil }
                    return name
                }
                let folder = target.path ?? (target.type == "test" ? "Tests/" : "Sources/") + target.name
                var imported: Set<String> = []
                for file in try Repository.swiftFiles(in: folder) {
                    imported.formUnion(Self.imports(of: file.text))
                }
                return (
                    target.name,
                    Target(
                        isTest: target.type == "test" || folder.hasPrefix("Tests/"),
                        declared: names.intersection(declared), imported: names.intersection(imported))
                )
            })
    }

    /// The modules that a text imports, also after an access level, an attribute, or the indent of `#if`.
    static func imports(of text: String) -> Set<String> {
        let pattern =
            /(?m)^[ \t]*(?:@[A-Za-z_]+(?:\([^)]*\))?[ \t]+)*(?:[a-z]+[ \t]+)?import[ \t]+(?:(?:struct|class|enum|protocol|func|var|let|typealias)[ \t]+)?([A-Za-z_0-9]+)/
        return Set(text.matches(of: pattern).map { String($0.1) })
    }

    @Test("The module table of ARCHITECTURE.md, the manifest and the imports contain the same dependencies")
    func arrows() throws {
        let table = try Self.table()
        let targets = try Self.targets()
        #expect(targets["XLSX"]?.declared == ["CCRC32", "CZlib"], "a dependency was not read")
        for (name, target) in targets {
            if !target.isTest {
                let row = try #require(table[name], "ARCHITECTURE.md has no row for \(name)")
                #expect(target.declared == row, "Package.swift and ARCHITECTURE.md's table differ on what \(name) uses")
            }
            #expect(
                target.imported.subtracting(target.declared).isEmpty, "\(name) imports what Package.swift does not declare")
            #expect(target.declared.subtracting(target.imported).isEmpty, "\(name) declares what it does not import")
        }
        #expect(
            Set(table.keys).subtracting(targets.keys).isEmpty, "ARCHITECTURE.md has a row for a target that does not exist")
    }

    @Test("Exactly one module of the product imports each C module")
    func cModules() throws {
        let targets = try Self.targets()
        let modules = targets.keys.filter { $0.wholeMatch(of: /C[A-Z].*/) != nil && $0 != "CommandLine" }
        #expect(modules.count == 6)
        for module in modules {
            let users = targets.filter { !$0.value.isTest && $0.value.imported.contains(module) }.keys.sorted()
            #expect(users.count == 1, "\(module) is imported by \(users)")
        }
    }

    @Test("The search for imports finds every form of an import")
    func forms() {
        let text = """
            import A
            private import B
            @testable import C
            @_spi(Test) package import D
            #if X
                internal import E
            #endif
            public import struct F.G
            // import H
            let important = 1
            """
        #expect(Self.imports(of: text) == ["A", "B", "C", "D", "E", "F"])
    }
}
