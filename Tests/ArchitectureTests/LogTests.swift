import Testing

/// Holds the service to its one way of logging: an event with an id and fields whose keys are in one enum.
@Suite struct LogTests {
    /// A message of its own, or a key that is text.
    private static var others: Regex<Substring> {
        /logger\.(?:trace|debug|info|notice|warning|error|critical|log)\(|metadataKey: *"|metadata(?:\?)?\["|metadata: *\["/
    }

    @Test("Whatever is logged is a ServiceEvent, and no key of a field is a literal")
    func events() throws {
        let files = try Repository.swiftFiles(in: "Sources")
        for file in files {
            for line in file.text.split(separator: "\n") where line.contains("logger") || line.contains("metadata") {
                #expect(!line.contains(Self.others), "\(file.path): use logger.report(_:_:) instead of \(line)")
            }
        }
        #expect(files.count > 100)
    }

    @Test("The rule finds what it is there for")
    func rule() {
        for code in [
            "logger.warning(", "self.logger.log(level: .info", "logger[metadataKey: \"job\"]", "metadata: [\"a b\": 1]",
            "metadata[\"more of them\"] = 1",
        ] { #expect(code.contains(Self.others), "\(code)") }
        for code in ["logger.report(DaemonEvent.serving)", "logger[metadataKey: key.rawValue]", "metadata: metadata"] {
            #expect(!code.contains(Self.others), "\(code)")
        }
    }

    @Test("A key is in snake case")
    func keys() throws {
        let text = try Repository.text(of: "Sources/Exports/ServiceEvent.swift")
        let list = try #require(text.firstMatch(of: /enum LogKey: String, Sendable \{\n((?:.*\n)*?)\}\n/)).1
        let keys = list.matches(of: /case (\w+)(?: = "(.*)")?/).map { String($0.2 ?? $0.1) }
        #expect(keys.count > 20 && keys.allSatisfy { $0.wholeMatch(of: /[a-z]+(?:_[a-z]+)*/) != nil }, "\(keys)")
    }
}
