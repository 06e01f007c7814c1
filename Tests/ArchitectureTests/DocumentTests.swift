private import Foundation
import Testing

/// Compares the files and headings that the documents name with the repository.
@Suite struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let documents = [
        "ARCHITECTURE.md", "CONTRIBUTING.md", "OPERATIONS.md", "README.md", "Examples/Console/README.md", "Tests/Hostile.md",
        "proto-docs/protocol.md",
    ]

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path(percentEncoded: false))
    }

    /// The folder of a document, with a slash at its end; empty for the root.
    private static func folder(of document: String) -> String {
        document.lastIndex(of: "/").map { String(document[...$0]) } ?? ""
    }

    @Test("Every path in the code of a document exists", arguments: documents)
    func paths(_ document: String) throws {
        for match in try Self.text(document).matches(of: /`([A-Za-z][A-Za-z0-9+_-]*(?:\/[A-Za-z0-9+._-]+)+)`/) {
            let path = String(match.1)
            // A path is relative to the document's folder, to the root, or to Sources.
            let top = path.prefix { $0 != "/" }
            let bases = [Self.folder(of: document), "", "Sources/"].filter { Self.exists($0 + top) }
            let exists = bases.isEmpty || bases.contains { Self.exists($0 + path) }
            #expect(exists, "\(document) names \(path), which does not exist")
        }
    }

    @Test("Every source file that a document names without its folder exists", arguments: documents)
    func fileNames(_ document: String) throws {
        for match in try Self.text(document).matches(of: /`([A-Za-z0-9+_-]+\.(?:swift|sql|py|sh))`/) {
            let exists = Self.fileNames.contains(String(match.1))
            #expect(exists, "\(document) names \(match.1), which does not exist")
        }
    }

    /// The names of all files below the folders that contain sources. Hidden folders, which contain builds, are left out.
    private static let fileNames = Set(
        ["Benchmarks", "Examples", "Scripts", "Sources", "Tests"].flatMap { folder in
            let files = FileManager.default.enumerator(
                at: root.appending(path: folder), includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
            return (files?.compactMap { ($0 as? URL)?.lastPathComponent }) ?? []
        })

    @Test("Every link in a document leads to a file, and to a heading if it names one", arguments: documents)
    func links(_ document: String) throws {
        for match in try Self.text(document).matches(of: /\]\(([^)\s]+)\)/) where !match.1.contains("://") {
            let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let target = parts[0].isEmpty ? document : Self.folder(of: document) + parts[0]
            #expect(Self.exists(target), "\(document) links to \(target), which does not exist")
            guard parts.count == 2, Self.exists(target) else { continue }
            let hasHeading = try Self.anchors(of: target).contains(parts[1])
            #expect(hasHeading, "\(document) links to \(match.1), but there is no such heading")
        }
    }

    /// The anchors of a document's headings, as GitHub forms them.
    private static func anchors(of document: String) throws -> Set<String> {
        Set(
            try text(document).matches(of: /(?m)^#+ (.+)$/).map { match in
                String(
                    match.1.lowercased().unicodeScalars.filter {
                        $0.properties.isAlphabetic || "0123456789 -_".unicodeScalars.contains($0)
                    }
                    .map { $0 == " " ? "-" : Character($0) })
            })
    }
}
