import AdminExportAPI
@testable import Daemon
import Exports
import Foundation
import Testing

/// Compares the catalog, the manuals and the examples with the programs.
@Suite struct CatalogTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    private static let events: [any ServiceEvent] = ExportEvent.allCases + DaemonEvent.allCases

    @Test(
        "Every event has its own id and a text in the catalog; the catalog has no other texts and names only fields of the event"
    )
    func catalog() throws {
        let texts = try text("systemd/adminexport.catalog").components(separatedBy: "-- ").dropFirst()
        #expect(texts.map { String($0.prefix(32)) }.sorted() == Self.events.map(\.entry.id).sorted())
        #expect(Set(Self.events.map(\.entry.id)).count == Self.events.count, "two events have one id")
        for event in Self.events {
            #expect(event.entry.id.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            let fields = Set(event.entry.fields.map { ServiceLog.journalField($0.rawValue) })
            for field in texts.first(where: { $0.hasPrefix(event.entry.id) })?.matches(of: /@([A-Z_]+)@/) ?? [] {
                #expect(fields.contains(String(field.1)), "\(event) has no field \(field.1)")
            }
        }
    }

    @Test("Published event ids do not change")
    func publishedIDs() {
        let published: [any ServiceEvent] = [
            DaemonEvent.fatalError, DaemonEvent.serving, ExportEvent.attemptStarted, ExportEvent.attemptEnded,
            ExportEvent.archiveUnreadable, DaemonEvent.requestRefused, ExportEvent.auditLost,
        ]
        #expect(
            published.map(\.entry.id) == [
                "e1a234841aaf49e58aa6867f51cb5328", "b45274ae453e4d26a8772b558f2d1f95", "2e6ee85d09014d12a4e48c5141c99da6",
                "5602f6fe700a4462b1a2c982d4c1c8a3", "43e1977d3abc4764b57045e434549b93", "f26874d4c6c747998bb09d037f64b05b",
                "379b48eae14d4ef3b26fad9ba6d10392",
            ])
    }

    @Test("The sources log every event")
    func used() throws {
        let files = FileManager.default.enumerator(
            at: Self.root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        var logged: Set<String> = []
        for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
            let code = try String(contentsOf: file, encoding: .utf8)
            for prefix in ["ExportEvent.", "DaemonEvent."] {
                for rest in code.components(separatedBy: prefix).dropFirst() {
                    logged.insert(String(rest.prefix { $0.isLetter }))
                }
            }
        }
        for event in Self.events { #expect(logged.contains("\(event)"), "nothing logs \(event)") }
    }

    @Test("The manual and the README contain the configuration keys as the table of keys defines them")
    func configurationManuals() throws {
        #expect(try text("man/adminexport.yaml.5").contains(ConfigurationReference.mdoc), "run Scripts/update-docs.sh")
        #expect(try text("README.md").contains(ConfigurationReference.markdown), "run Scripts/update-docs.sh")
        let lines = ConfigurationReference.mdoc.split(separator: "\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 80 } && lines.count(where: { $0.hasPrefix(".It Cm ") }) > 30)
    }

    @Test(
        "The manuals describe every command and option of the programs", arguments: ["adminexport.1", "adminexportd.8"])
    func manuals(_ name: String) async throws {
        let page = try text("man/" + name)
        let program = String(name.split(separator: ".")[0])
        let dump = try await Programs.run(program, ["--experimental-dump-help"])
        let command = try #require(
            (try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any])?["command"] as? [String: Any])
        let subcommands = try #require(command["subcommands"] as? [[String: Any]])
        #expect(subcommands.count > 5)
        for subcommand in subcommands where subcommand["commandName"] as? String != "help" {
            let word = try #require(subcommand["commandName"] as? String)
            #expect(page.contains(try Regex("(?m)^\\.(It )?Cm \(word)\\b")), "\(name) does not have \(word)")
            for argument in subcommand["arguments"] as? [[String: Any]] ?? [] {
                for option in argument["names"] as? [[String: Any]] ?? [] {
                    guard option["kind"] as? String == "long", let flag = option["name"] as? String,
                        !["help", "version"].contains(flag)
                    else { continue }
                    #expect(page.contains("Fl -\(flag)"), "\(name) does not have --\(flag) of \(word)")
                }
            }
        }
    }

    @Test("The example configuration is valid and has the values that the package promises")
    func example() throws {
        let file = try ConfigurationFile(yaml: text("Examples/config.yaml"))
        #expect(file.values["database.url"] == "postgresql:///adminexport?host=/run/postgresql")
        #expect(file.callers.first?.group == "adminexport-clients" && file.callers.first?.grants == [.export])
    }

    @Test("A journal field is named after its log key, and the peer's user has the promised name")
    func fields() {
        #expect(ServiceLog.journalField("job") == "ADMINEXPORT_JOB")
        #expect(ServiceLog.journalField("uid") == "ADMINEXPORT_PEER_UID")
        #expect(ServiceLog.journalField("service-lifecycle.signal") == "ADMINEXPORT_SERVICE_LIFECYCLE_SIGNAL")
    }
}
