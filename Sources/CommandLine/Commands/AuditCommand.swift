internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Shows the audit trail.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Show who asked for what and what came of it, for operators.",
        discussion: "Newest first. With --json each event is a line of its own.")

    @OptionGroup var service: ServiceOptions

    @Option(help: "Only of this tenant.")
    var tenant: String?

    @Option(help: "Only of the administrator with this e-mail address.")
    var administrator: String?

    @Option(help: "Only of this export.")
    var export: String?

    @Option(help: "Only these events: \(AuditEvent.events.joined(separator: ", ")). May be repeated.")
    var event: [String] = []

    @Option(help: "Only from this moment on, such as 2026-11-25T09:30:00Z.")
    var from: String?

    @Option(help: "Only before this moment.")
    var before: String?

    @Option(help: "How many at most.")
    var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is 1 or more.") }
        if let unknown = event.first(where: { !AuditEvent.events.contains($0) }) {
            throw ValidationError("There is no event \(unknown).")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let client = try await service.connect(waiting: nil)
            var left = limit
            var cursor: String?
            var table = Table(header: ["TIME", "EVENT", "TENANT", "ADMINISTRATOR", "EXPORT", "UID", "REASON", "DETAILS"])
            repeat {
                let page = try await client.call(
                    AuditList.self,
                    .init(
                        tenant: tenant, administrator: administrator, job: export, events: event.isEmpty ? nil : event,
                        from: from, before: before, limit: min(left, 500), cursor: cursor))
                for event in page.events {
                    if service.json { try Output.result(Output.line(event)) } else { table.append(try Self.row(event)) }
                }
                left -= page.events.count
                cursor = page.nextCursor
            } while cursor != nil && left > 0
            if !service.json { try Output.result(table.text) }
            if cursor != nil { Output.message("there are more: raise --limit, or go on with --before") }
        }
    }

    private static func row(_ event: AuditEvent) throws -> [TerminalText] {
        [
            "\(event.at)", "\(event.event)", "\(event.tenant ?? "-")", "\(event.administrator ?? "-")",
            "\(event.job ?? "-")", event.peer.map { "\($0.uid)" } ?? "-", "\(event.reason ?? "-")",
            event.details == .object([:]) ? "" : try Output.line(event.details),
        ]
    }
}
