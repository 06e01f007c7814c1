import Exports
import Foundation
import Testing

@Suite struct ServiceStatementsTests {
    @Test("The inspection covers every statement in the sources that reads the directory")
    func complete() throws {
        var root = URL(filePath: #filePath)
        while root.lastPathComponent != "Tests" { root.deleteLastPathComponent() }
        let sources = root.deletingLastPathComponent().appending(path: "Sources")
        let inspected = ServiceStatements.names
        let exempt: [String: String] = [
            // Settings only.
            "set-\\(name)": "set_config", "sample-settings": "set_config",
            // The catalogue, which everyone may read.
            "directory-columns": "", "directory-types": "", "directory-functions": "", "directory-grants": "",
            "directory-reads": "",
            "unproven-keys": "", "attribute-origins": "", "attribute-functions": "",
            "attribute-sources": "", "attribute-definitions": "",
            // After all others, of the columns that they read.
            "unknown-permissions": "",
            // Searches that leave out what the role may not read.
            "wrong-rows": "", "tenant-keys": "",
            // Jobs only.
            "lookup-jobs": "",
        ]
        var seen: Set<String> = []
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            // Consoles read with their own login.
            guard file.pathExtension == "swift", !file.path().contains("/Accounts/") else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            guard file.path().contains("/Directory/") || text.contains(/(FROM|JOIN|INTO|UPDATE) directory\./) else {
                continue
            }
            for match in text.matches(of: /[^A-Za-z]Query\(\s*"([^"]+)"/) { seen.insert(String(match.1)) }
        }
        // Of an interpolated name, only the beginning is compared.
        func isInspected(_ name: String) -> Bool {
            let start = name.prefix { $0 != "\\" }
            return start.count == name.count ? inspected.contains(name) : inspected.contains { $0.hasPrefix(start) }
        }
        #expect(seen.count > 15)
        for name in seen where exempt[name] == nil { #expect(isInspected(name), "\(name) is not inspected") }
        for name in exempt.keys { #expect(seen.contains(name), "the sources have no \(name)") }
    }
}
