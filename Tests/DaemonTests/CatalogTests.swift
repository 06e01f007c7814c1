import AdminExportAPI
import Foundation
import Testing

@testable import Daemon

/// What is installed beside the programs, held to them.
@Suite struct CatalogTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    @Test("Every message with an id is one that the programs say, and has a text in the catalog, which has no others")
    func catalog() throws {
        let ids = try text("systemd/adminexport.catalog").matches(of: /(?m)^-- ([0-9a-f]{32})$/).map { String($0.1) }
        #expect(Set(ids).count == ids.count, "an id stands twice")
        #expect(Set(ids) == Set(MessageCatalog.ids.values).union([MessageCatalog.fault]))
        #expect(Set(MessageCatalog.ids.values).count == MessageCatalog.ids.count)
        let sources = FileManager.default.enumerator(
            at: Self.root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        var said: Set<String> = []
        for case let file as URL in sources ?? .init()
        where file.pathExtension == "swift" && file.lastPathComponent != "MessageCatalog.swift" {
            let code = try String(contentsOf: file, encoding: .utf8)
            for message in MessageCatalog.ids.keys where code.contains("\"\(message)\"") { said.insert(message) }
        }
        #expect(said == Set(MessageCatalog.ids.keys))
    }

    @Test("The manual and the README list the configuration keys as the table of keys has them")
    func configurationManuals() throws {
        #expect(try text("man/adminexport.yaml.5").contains(ConfigurationReference.mdoc), "run Scripts/update-docs.sh")
        #expect(try text("README.md").contains(ConfigurationReference.markdown), "run Scripts/update-docs.sh")
        let lines = ConfigurationReference.mdoc.split(separator: "\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 80 } && lines.count(where: { $0.hasPrefix(".It Cm ") }) > 30)
    }

    @Test("The manuals have every command and every option of the programs", arguments: ["adminexport.1", "adminexportd.8"])
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

    @Test("The example of a configuration is one, and says what the package promises")
    func example() throws {
        let file = try ConfigurationFile(yaml: text("Examples/config.yaml"))
        #expect(file.values["database.url"] == "postgresql:///adminexport?host=/run/postgresql")
        #expect(file.callers.first?.group == "adminexport-clients" && file.callers.first?.grants == [.export])
    }

    @Test("A journal's field is named by the key, and the peer's user by the name that is promised")
    func fields() {
        #expect(ServiceLog.field("job") == "ADMINEXPORT_JOB" && ServiceLog.field("uid") == "ADMINEXPORT_PEER_UID")
        #expect(ServiceLog.field("more of them") == "ADMINEXPORT_MORE_OF_THEM")
    }
}
