internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Pauses the queue.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Pause the queue (operators only). No further export begins; running exports continue.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            _ = try await service.connect(waiting: nil).call(ServicePause.self, NoMembers())
            if service.json {
                try Output.json(NoMembers())
            } else {
                Output.message("the queue is paused; adminexport resume resumes it")
            }
        }
    }
}

/// Resumes the queue.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Resume the queue after pause (operators only).")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            _ = try await service.connect(waiting: nil).call(ServiceResume.self, NoMembers())
            if service.json { try Output.json(NoMembers()) } else { Output.message("the queue is running") }
        }
    }
}

/// Lists the workers.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "List the workers (operators only).")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let list = try await service.connect(waiting: nil).call(ServiceWorkers.self, NoMembers())
            if service.json { return try Output.json(list) }
            try Output.result(Self.table(list.workers))
        }
    }

    static func table(_ workers: [WorkerStatus]) -> TerminalText {
        var table = Table(header: ["WORKER", "HOST", "VERSION", "RUNS", "STORAGE", "SEEN", ""])
        for worker in workers {
            table.append([
                "\(worker.id)", "\(worker.host)", "\(worker.version)", "\(worker.running) of \(worker.slots)",
                "\(worker.storage)", "\(worker.seenAt)",
                worker.draining ? "draining" : "",
            ])
        }
        return table.text
    }
}

/// Makes a worker take no more exports.
struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Make a worker take no more exports (operators only).",
        discussion:
            "Its running exports continue; you can stop it when it runs none. The drain lasts until its process ends.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The worker's id, as adminexport workers shows it.")
    var worker: String

    @Flag(help: "Let the worker take exports again.")
    var undo = false

    func run() async throws {
        try await reportingFailures {
            let drained = try await service.connect(waiting: nil).call(ServiceDrain.self, .init(worker: worker, on: !undo))
            if service.json { return try Output.json(drained) }
            try Output.result(WorkersCommand.table([drained.worker]))
        }
    }
}

/// Begins or ends a legal hold.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Protect an export's workbook from expiry and deletion (operators only).")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var job: JobArgument

    @Flag(help: "End the hold.")
    var release = false

    func run() async throws {
        try await reportingFailures {
            let reply = try await service.connect(waiting: nil).call(ServiceHold.self, .init(job: job.id, on: !release))
            if service.json { return try Output.json(reply) }
            try Output.job(reply.job, json: false)
            Output.message(reply.held ? "the export is under a legal hold" : "the export is not under a legal hold")
        }
    }
}

/// Shows the audit trail.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show the audit trail: what callers requested and what the result was (operators only).",
        discussion: "Newest event first. With --json, each event is one line.")

    @OptionGroup var service: ServiceOptions

    @Option(help: "Only events of the tenant with this slug.")
    var tenant: String?

    @Option(help: "Only events of the administrator with this e-mail address.")
    var administrator: String?

    @Option(help: "Only events of the export with this id.")
    var export: String?

    @Option(help: "Only these events: \(AuditEvent.events.joined(separator: ", ")). May be repeated.")
    var event: [String] = []

    @Option(help: "Only events at or after this time, such as 2026-11-25T09:30:00Z.")
    var from: String?

    @Option(help: "Only events before this time.")
    var before: String?

    @Option(help: "The number of events to show.")
    var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be 1 or more.") }
        if let unknown = event.first(where: { !AuditEvent.events.contains($0) }) {
            throw ValidationError("--event \(unknown) is not an event; adminexport help audit lists the events.")
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
            if cursor != nil { Output.message("there are more events: raise --limit, or continue with --before") }
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
