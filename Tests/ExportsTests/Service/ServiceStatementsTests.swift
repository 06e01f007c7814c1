import Exports
import Foundation
import Testing

@Suite struct ServiceStatementsTests {
    @Test("Every statement of the sources that reads the directory is one that is looked at")
    func complete() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .appending(path: "Sources")
        let looked = ServiceStatements.names
        let exempt: [String: String] = [
            // Settings alone.
            "set-\\(name)": "set_config", "sample-settings": "set_config",
            // The catalogue, which everyone may read.
            "directory-columns": "", "directory-types": "", "directory-functions": "", "directory-grants": "",
            "directory-reads": "",
            "unproven-keys": "",
            // What it may not read is left out; for checks.
            "wrong-rows": "", "tenant-keys": "",
            // The jobs alone.
            "lookup-jobs": "",
        ]
        var seen: Set<String> = []
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            // Consoles read with a login of their own.
            guard file.pathExtension == "swift", !file.path().contains("/Accounts/") else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            guard file.path().contains("/Directory/") || text.contains(/(FROM|JOIN|INTO|UPDATE) directory\./) else {
                continue
            }
            for match in text.matches(of: /[^A-Za-z]Query\(\s*"([^"]+)"/) { seen.insert(String(match.1)) }
        }
        // Of a name that is put together its beginning is compared.
        func isLooked(_ name: String) -> Bool {
            let start = name.prefix { $0 != "\\" }
            return start.count == name.count ? looked.contains(name) : looked.contains { $0.hasPrefix(start) }
        }
        #expect(seen.count > 15)
        for name in seen where exempt[name] == nil { #expect(isLooked(name), "\(name) is not looked at") }
        for name in exempt.keys { #expect(seen.contains(name), "there is no \(name) any more") }
    }
}
