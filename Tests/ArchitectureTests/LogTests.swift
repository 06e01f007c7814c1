import Testing

/// Checks that the service logs only events with an id, and that one enum contains the keys of their fields.
@Suite struct LogTests {
    /// A log call with its own message, or a metadata key that is a string.
    private static var others: Regex<Substring> {
        /logger\.(?:trace|debug|info|notice|warning|error|critical|log)\(|metadataKey: *"|metadata(?:\?)?\["|metadata: *\["/
    }

    @Test("Every log call reports a ServiceEvent, and no metadata key is a string literal")
    func events() throws {
        let files = try Repository.swiftFiles(in: "Sources")
        for file in files {
            for line in file.text.split(separator: "\n") where line.contains("logger") || line.contains("metadata") {
                #expect(!line.contains(Self.others), "\(file.path): use logger.report(_:_:) instead of \(line)")
            }
        }
        #expect(files.count > 100)
    }

    @Test("The rule reports each forbidden log call and no permitted one")
    func rule() {
        for code in [
            "logger.warning(", "self.logger.log(level: .info", "logger[metadataKey: \"job\"]", "metadata: [\"a b\": 1]",
            "metadata[\"more of them\"] = 1",
        ] { #expect(code.contains(Self.others), "\(code)") }
        for code in ["logger.report(DaemonEvent.serving)", "logger[metadataKey: key.rawValue]", "metadata: metadata"] {
            #expect(!code.contains(Self.others), "\(code)")
        }
    }

    @Test("Every log key is in snake_case")
    func keys() throws {
        let text = try Repository.text(of: "Sources/Exports/ServiceEvent.swift")
        let list = try #require(text.firstMatch(of: /enum LogKey: String, Sendable \{\n((?:.*\n)*?)\}\n/)).1
        let keys = list.matches(of: /case (\w+)(?: = "(.*)")?/).map { String($0.2 ?? $0.1) }
        #expect(keys.count > 20 && keys.allSatisfy { $0.wholeMatch(of: /[a-z]+(?:_[a-z]+)*/) != nil }, "\(keys)")
    }
}
