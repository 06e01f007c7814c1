private import Foundation
import Testing

/// Compares the names and links in the documents with the repository.
@Suite struct NamesInDocumentsTests {
    private static let documents = [
        "ARCHITECTURE.md", "BENCHMARKS.md", "CONTRIBUTING.md", "EVIDENCE.md", "Examples/Console/README.md", "OPERATIONS.md",
        "README.md",
        "Tests/Hostile.md",
        "proto-docs/protocol.md",
    ]

    /// The texts between backquotes, outside of blocks.
    private static func names(in document: String) throws -> Set<String> {
        let prose = try Repository.text(of: document).split(separator: "\n").filter { !$0.hasPrefix("    ") }
        return Set(prose.joined(separator: "\n").matches(of: /`([^`\n]+)`/).map { String($0.1) })
    }

    /// The folder of a document, with a slash at its end; empty for the root.
    private static func folder(of document: String) -> String {
        document.lastIndex(of: "/").map { String(document[...$0]) } ?? ""
    }

    @Test("Every path in the documents exists", arguments: documents)
    func paths(_ document: String) throws {
        // A name in capitals stands for any: `Sources/…/NOUN.swift`.
        for name in try Self.names(in: document)
        where name.wholeMatch(of: /[A-Za-z][A-Za-z0-9_.+-]*(\/[A-Za-z0-9_.+-]+)+\/?/) != nil {
            // A path is relative to the document's folder, to the root, or to Sources.
            let top = name.prefix { $0 != "/" }
            let bases = [Self.folder(of: document), "", "Sources/"].filter { Repository.exists($0 + top) }
            let exists = bases.isEmpty || bases.contains { Repository.exists($0 + name) }
            #expect(exists, "\(document) names \(name), which does not exist")
        }
    }

    @Test("Every source file that a document names without its folder exists", arguments: documents)
    func files(_ document: String) throws {
        for name in try Self.names(in: document) where name.wholeMatch(of: /[A-Za-z0-9_+-]+\.(swift|sql|py|sh)/) != nil {
            let exists = Self.fileNames.contains(name)
            #expect(exists, "\(document) names \(name), which does not exist")
        }
    }

    /// The names of all files below the folders that contain sources. Hidden folders, which contain builds, are left out.
    private static let fileNames = Set(
        ["Benchmarks", "Documentation", "Examples", "Scripts", "Sources", "Tests"].flatMap { folder in
            let files = FileManager.default.enumerator(
                at: Repository.root.appending(path: folder), includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
            return (files?.compactMap { ($0 as? URL)?.lastPathComponent }) ?? []
        })

    @Test("Every link in a document leads to a file, and to a heading if it names one", arguments: documents)
    func links(_ document: String) throws {
        for match in try Repository.text(of: document).matches(of: /\]\(([^)\s]+)\)/) where !match.1.contains("://") {
            let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let target = parts[0].isEmpty ? document : Self.folder(of: document) + parts[0]
            #expect(Repository.exists(target), "\(document) links to \(target), which does not exist")
            guard parts.count == 2, Repository.exists(target) else { continue }
            let hasHeading = try Self.anchors(of: target).contains(parts[1])
            #expect(hasHeading, "\(document) links to \(match.1), but there is no such heading")
        }
    }

    /// The anchors of a document's headings, as GitHub forms them.
    private static func anchors(of document: String) throws -> Set<String> {
        Set(
            try Repository.text(of: document).matches(of: /(?m)^#+ (.+)$/).map { match in
                let scalars = match.1.lowercased().unicodeScalars.filter {
                    $0.properties.isAlphabetic || "0123456789 -_".unicodeScalars.contains($0)
                }
                return String(scalars.map { $0 == " " ? "-" : Character($0) })
            })
    }

    @Test("Every type in the documents is declared in the code", arguments: ["ARCHITECTURE.md", "CONTRIBUTING.md"])
    func types(_ document: String) throws {
        let folders = ["Sources", "Tests", "Examples/Console/Sources", "Examples/Console/Tests", "Benchmarks"]
        var declared: Set<Substring> = []
        for folder in folders {
            for file in try Repository.files(in: folder, withExtensions: ["swift", "py"]) {
                let found = file.text.matches(of: /\b(?:actor|class|enum|protocol|struct|typealias)[ ]+([A-Z][A-Za-z0-9]+)/)
                declared.formUnion(found.map(\.1))
            }
        }
        let folderNames = try ["Benchmarks", "Documentation", "Examples", "Scripts", "Sources", "Tests"].reduce(
            into: Set<String>()
        ) {
            $0.formUnion(try Repository.folderNames(in: $1).union([$1]))
        }
        var count = 0
        for name in try Self.names(in: document) {
            // `Type` or `Type.member`: a capital, and another letter in lower case. The tests above check files.
            guard !name.hasSuffix(".swift"),
                let match = name.wholeMatch(of: /([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)(?:\.[a-z][A-Za-z0-9]*)?/)
            else {
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
        "Common", "Double", "Hasher", "Helper", "Int", "Manager", "OutputSpan", "Package", "RawSpan", "Service",
        "ServiceGroup", "Span", "String", "Task", "Util",
    ]
}
