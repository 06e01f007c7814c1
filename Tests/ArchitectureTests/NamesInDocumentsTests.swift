private import Foundation
import Testing

/// Holds the names in the documents for developers to the code.
@Suite struct NamesInDocumentsTests {
    private static let documents = ["ARCHITECTURE.md", "CONTRIBUTING.md"]

    /// The texts between backquotes, outside of blocks.
    private static func names(in document: String) throws -> Set<String> {
        let prose = try Repository.text(of: document).split(separator: "\n").filter { !$0.hasPrefix("    ") }
        return Set(prose.joined(separator: "\n").matches(of: /`([^`\n]+)`/).map { String($0.1) })
    }

    @Test("Every path in the documents exists", arguments: documents)
    func paths(_ document: String) throws {
        let roots = ["Sources", "Tests", "Benchmarks", "Examples", "Scripts", "systemd", "man", "proto-docs", "debian"]
        var count = 0
        for name in try Self.names(in: document) where roots.contains(where: { name.hasPrefix($0 + "/") }) {
            // A name in capitals stands for any: `Sources/…/NOUN.swift`.
            guard name.wholeMatch(of: /[A-Za-z0-9_.\/+-]+/) != nil else { continue }
            count += 1
            #expect(Repository.exists(name), "\(document) names \(name), which does not exist")
        }
        #expect(count > 3)
    }

    @Test("Every type in the documents is declared in the code", arguments: documents)
    func types(_ document: String) throws {
        let folders = ["Sources", "Tests", "Examples/Console/Sources", "Examples/Console/Tests", "Benchmarks"]
        var declared: Set<Substring> = []
        for folder in folders {
            for file in try Repository.files(in: folder, withExtensions: ["swift", "py"]) {
                let found = file.text.matches(of: /\b(?:actor|class|enum|protocol|struct|typealias)[ ]+([A-Z][A-Za-z0-9]+)/)
                declared.formUnion(found.map(\.1))
            }
        }
        let folderNames = try ["Benchmarks", "Examples", "Scripts", "Sources", "Tests"].reduce(into: Set<String>()) {
            $0.formUnion(try Repository.folderNames(in: $1).union([$1]))
        }
        var count = 0
        for name in try Self.names(in: document) {
            // `Type` or `Type.member`: a capital, and another letter in lower case.
            guard let match = name.wholeMatch(of: /([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)(?:\.[a-z][A-Za-z0-9]*)?/) else {
                continue
            }
            count += 1
            #expect(
                declared.contains(match.1) || folderNames.contains(String(match.1)) || Self.others.contains(String(match.1)),
                "\(document) names \(name), which is not declared")
        }
        #expect(count > 10)
    }

    /// Names of Swift, of its packages and of tools, and names that this project does not use.
    private static let others: Set<String> = [
        "Double", "Helper", "Int", "Manager", "Package", "Service", "ServiceGroup", "String", "Task", "Util",
    ]
}
