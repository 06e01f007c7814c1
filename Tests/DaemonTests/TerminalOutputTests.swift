import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// The command line's output of names that contain controls of a terminal.
@Suite(.timeLimit(.minutes(10))) struct TerminalOutputTests {
    /// Contains a title, a colour by C1, reversed text, a line separator, a character without width, and a tag.
    private static let slug = "ac\u{1B}]0;x\u{7}\u{9B}31m\u{202E}fdp\u{2028}\nme\u{200B}\u{E0041}\u{7F}\u{61C}"
    private static let email = "o\u{1B}[2J\r\u{85}@\u{2066}x"
    private static let actor = ActorName(tenant: slug, administrator: email)

    private static func literal(_ text: String) -> String {
        "U&'"
            + text.unicodeScalars.map {
                $0.isASCII && $0.value >= 32 && $0 != "\\"
                    ? String($0) : "\\+" + ("00000" + String($0.value, radix: 16)).suffix(6)
            }
            .joined() + "'"
    }

    private static let sql =
        SmallTenant.sql
        + "; UPDATE directory.tenant SET slug = \(literal(slug)) WHERE id = 1; UPDATE directory.administrator SET email = \(literal(email)) WHERE id = 1"

    /// Whether a terminal only shows the text and goes to the next line.
    private static func isShown(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            $0 == "\n" || ![.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
        }
    }

    @Test("Tables, lines and errors show hostile names escaped, and JSON contains them as escapes")
    func names() async throws {
        try await ServiceProcess.with(sql: Self.sql) { service in
            let run = try await service.run(["run"], as: Self.actor)
            #expect(run.status == 0, "\(run)")
            let jobs = try await service.client().call(ExportList.self, .init(actor: Self.actor)).jobs
            let id = try #require(jobs.first).id
            var lines: [String: Int] = [:]
            let unknown = ActorName(tenant: Self.slug + "\u{1B}c", administrator: Self.email)
            for (name, arguments, actor) in [
                ("get", ["get", id], Self.actor), ("list", ["list"], Self.actor), ("wait", ["wait", id], Self.actor),
                ("audit", ["audit"], Self.actor), ("stats", ["stats"], Self.actor), ("workers", ["workers"], Self.actor),
                ("health", ["health"], Self.actor), ("info", ["info"], Self.actor), ("doctor", ["doctor"], Self.actor),
                ("metrics", ["metrics"], Self.actor), ("methods", ["methods"], Self.actor),
                ("describe", ["describe", "export.start"], Self.actor), ("again", ["run"], Self.actor),
                ("denied", ["run"], unknown), ("argument", ["get", "\u{1B}[31m\u{202E}"], Self.actor),
                ("option", ["--\u{1B}[31m\u{202E}"], Self.actor), ("state", ["list", "--state", "\u{1B}c"], Self.actor),
                ("method", ["describe", "\u{9B}31m"], Self.actor), ("called", ["call", "\u{9B}31m"], Self.actor),
                ("socket", ["info", "--socket", "/\u{1B}c"], Self.actor),
                ("file", ["run", "-o", "/none/\u{1B}c"], Self.actor),
            ] {
                let done = try await service.run(arguments, as: actor)
                #expect(
                    Self.isShown(done.output) && Self.isShown(done.errors),
                    "\(name): \(done.output.debugDescription) \(done.errors.debugDescription)")
                lines[name] = done.output.split(separator: "\n").count
            }
            #expect(lines["list"] == 2, "a name has added a line")
            let shown = try await service.run(["get", id], as: Self.actor).output
            #expect(
                shown.contains(
                    "Tenant:        ac\\u{1b}]0;x\\u{7}\\u{9b}31m\\u{202e}fdp\\u{2028}\\nme\\u{200b}\\u{e0041}\\u{7f}\\u{61c}\n"
                ))
            for arguments in [
                ["get", id, "--json"], ["list", "--json"], ["audit", "--json", "--limit", "1", "--event", "requested"],
                [
                    "call", "export.get",
                    "{\"actor\": \(String(decoding: try JSONEncoder().encode(Self.actor), as: UTF8.self)), \"job\": \"\(id)\"}",
                ],
            ] {
                let json = try await service.run(arguments, as: Self.actor)
                #expect(Self.isShown(json.output), "\(json.output.debugDescription)")
                let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
                let job =
                    value["jobs"].map { if case .array(let jobs) = $0 { jobs[0] } else { $0 } } ?? value["job"] ?? value
                #expect((job["tenant"] ?? value["tenant"]) == .string(Self.slug), "\(arguments): \(json.output)")
            }
        }
    }
}
