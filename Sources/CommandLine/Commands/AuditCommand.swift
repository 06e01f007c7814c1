internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Evidence

/// Shows the audit trail.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show the audit trail: what callers requested and what the result was (operators only).",
        discussion: """
            Newest event first. With --json, each event is one line. With -o, the command writes all events that match to a file.

            With --verify, the command compares the whole trail with the checkpoints that the workers have signed. It finds an event that \
            somebody has changed, added or removed by hand since its checkpoint, also as a superuser of the database. It does not find what \
            was changed before the checkpoint, which workers make every hour. If somebody removes the newest checkpoints, only a copy \
            outside the database shows that: keep one with --checkpoint, and compare it with --since.
            """)

    @OptionGroup var service: ServiceOptions

    @Option(help: "Only events of the tenant with this slug.")
    var tenant: String?

    @Option(help: "Only events of the administrator with this e-mail address.")
    var administrator: String?

    @Option(
        help: ArgumentHelp(
            "Only events of the export with this id. If the value ends with .xlsx, .ndjson or .jsonl, it is the same as -o.",
            valueName: "export"))
    var export: String?

    @Option(help: "Only these events: \(AuditEvent.events.joined(separator: ", ")). May be repeated.")
    var event: [String] = []

    @Option(help: "Only events at or after this time, such as 2026-11-25T09:30:00Z.")
    var from: String?

    @Option(help: "Only events before this time.")
    var before: String?

    @Option(help: "The number of events to show. (default: 100)")
    var limit: Int?

    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "Write all events that match to this file: as a workbook if it ends with .xlsx, as JSON lines if it ends with .ndjson or .jsonl.",
            valueName: "file"),
        completion: .file(extensions: ["xlsx", "ndjson", "jsonl"]))
    var output: String?

    @Flag(help: "With -o: replace an existing file.")
    var force = false

    @Flag(help: "Compare the trail with its signed checkpoints. The exit status is 0 only if no fault was found.")
    var verify = false

    @Option(
        help: "With --verify: also compare with the checkpoints in this file, which --checkpoint or the journal has kept.",
        completion: .file())
    var since: String?

    @Option(
        help: ArgumentHelp(
            "With --verify: a public key in PEM format. May be repeated. (default: all keys in \(KeyFolder.standard))",
            valueName: "file"),
        completion: .file(extensions: ["pem"]))
    var key: [String] = []

    @Option(
        help: ArgumentHelp(
            "Append the checkpoints that this file does not contain yet, one per line. Keep a copy of the file on another machine.",
            valueName: "file"),
        completion: .file())
    var checkpoint: String?

    private var hasFilter: Bool {
        [tenant, administrator, export, from, before].contains { $0 != nil } || !event.isEmpty
    }

    /// The value of `--export`, if it is a file.
    private var exportFile: String? { export.flatMap { TrailExport.Form(path: $0) == nil ? nil : $0 } }
    private var file: String? { output ?? exportFile }
    private var job: String? { exportFile == nil ? export : nil }

    func validate() throws {
        if let output, TrailExport.Form(path: output) == nil {
            throw ValidationError("-o must name a file that ends with .xlsx, .ndjson or .jsonl.")
        }
        if output != nil, exportFile != nil {
            throw ValidationError("-o and --export both name a file; leave out one of them.")
        }
        if file != nil, limit != nil || service.json {
            throw ValidationError("A file contains all events that match; leave out --limit and --json.")
        }
        if force, file == nil { throw ValidationError("--force requires -o.") }
        if verify || checkpoint != nil, hasFilter || file != nil {
            throw ValidationError("--verify and --checkpoint are about the whole trail; leave out the other conditions.")
        }
        if verify, checkpoint != nil { throw ValidationError("Use either --verify or --checkpoint.") }
        if !verify, since != nil || !key.isEmpty { throw ValidationError("--since and --key require --verify.") }
        guard limit ?? 1 > 0 else { throw ValidationError("--limit must be 1 or more.") }
        if let unknown = event.first(where: { !AuditEvent.events.contains($0) }) {
            throw ValidationError("--event \(unknown) is not an event; adminexport help audit lists the events.")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let client = try await service.connect(waiting: nil)
            if verify { return try await verify(client) }
            if let checkpoint {
                let count = try await KeptCheckpoints.append(to: checkpoint, client)
                return Output.message("\(checkpoint): \(count) checkpoints appended")
            }
            if let file, let form = TrailExport.Form(path: file) {
                try DownloadedFile.check(file, replacing: force)
                let request = AuditList.Params(
                    tenant: tenant, administrator: administrator, job: job, events: event.isEmpty ? nil : event, from: from,
                    before: before)
                let count = try await TrailExport(client: client, request: request).write(
                    to: file, as: form, replacing: force)
                Output.message("\(file) has \(ProgressBar.grouped(count)) events")
                return try Output.path(file)
            }
            var left = limit ?? 100
            var cursor: String?
            var table = Table(header: ["TIME", "EVENT", "TENANT", "ADMINISTRATOR", "EXPORT", "UID", "REASON", "DETAILS"])
            repeat {
                let page = try await client.call(
                    AuditList.self,
                    .init(
                        tenant: tenant, administrator: administrator, job: job, events: event.isEmpty ? nil : event,
                        from: from, before: before, limit: min(left, 500), cursor: cursor))
                for event in page.events {
                    if service.json { try Output.result(Output.line(event)) } else { table.append(try Self.row(event)) }
                }
                left -= page.events.count
                cursor = page.nextCursor
            } while cursor != nil && left > 0
            if !service.json { try Output.result(table.text) }
            if cursor != nil { Output.message("there are more events: raise --limit, or continue with --before") }
        }
    }

    private func verify(_ client: ReconnectingClient) async throws {
        let keys = try KnownKeys.load(key).map(\.key)
        let report = try await TrailVerification(client: client, keys: keys, since: since).run()
        if service.json {
            try Output.json(report)
        } else if report.isVerified {
            try Output.result(report.text)
        }
        guard !report.isVerified else { return }
        for fault in report.faults.prefix(Self.maxFaults) { Output.message("not verified: \(fault)") }
        if report.faults.count > Self.maxFaults {
            Output.message("not verified: \(report.faults.count - Self.maxFaults) more faults; --json prints all")
        }
        throw ExitCode(ExitStatus.failed.rawValue)
    }

    private static let maxFaults = 20

    private static func row(_ event: AuditEvent) throws -> [TerminalText] {
        [
            "\(event.at)", "\(event.event)", "\(event.tenant ?? "-")", "\(event.administrator ?? "-")",
            "\(event.job ?? "-")", event.peer.map { "\($0.uid)" } ?? "-", "\(event.reason ?? "-")",
            event.details == .object([:]) ? "" : try Output.line(event.details),
        ]
    }
}
