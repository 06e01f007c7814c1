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

/// Begins, changes or ends a legal hold.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Protect an export's workbook from expiry and deletion (operators only).",
        discussion:
            "To list the holds, use adminexport holds. On an export that is already held, --reason or --until replaces both values: a value that is not given is removed."
    )

    @OptionGroup var service: ServiceOptions
    @OptionGroup var job: JobArgument

    @Option(help: "Why, for the list of holds and the audit trail: up to 500 characters.")
    var reason: String?

    @Option(
        help: ArgumentHelp(
            "End the hold at this time, such as 2027-06-30T00:00:00Z, or at the beginning of this day in UTC, such as 2027-06-30. (default: never)",
            valueName: "time"))
    var until: String?

    @Flag(help: "End the hold.")
    var release = false

    private var end: String? {
        until.map { $0.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) == nil ? $0 : "\($0)T00:00:00Z" }
    }

    func validate() throws {
        if release, until != nil { throw ValidationError("--release ends the hold now; leave out --until.") }
        guard let end else { return }
        guard let moment = RFC3339.microseconds(end), Date(timeIntervalSince1970: Double(moment) / 1_000_000) > .now else {
            throw ValidationError("--until must be a time or a day in the future, such as 2027-06-30.")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let reply = try await service.connect(waiting: nil).call(
                ServiceHold.self, .init(job: job.id, on: !release, reason: reason, until: end))
            if service.json { return try Output.json(reply) }
            try Output.job(reply.job, json: false)
            if let hold = reply.hold {
                try Output.result(
                    hold.lines.map { ("\($0.label):" as TerminalText).padded(to: 15) + "\($0.value)" }.joined(
                        separator: "\n"))
            }
            Output.message(reply.held ? "the export is under a legal hold" : "the export is not under a legal hold")
        }
    }
}

/// Lists the legal holds.
struct HoldsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holds",
        abstract: "List the legal holds: which export, since when, by whom, why and until when (operators only).")

    @OptionGroup var service: ServiceOptions

    @Option(help: "Only holds of the tenant with this slug.")
    var tenant: String?

    @Option(help: "The number of holds to list, 1 to 100.")
    var limit = 20

    @Option(help: "The cursor that the previous page printed.")
    var cursor: String?

    func run() async throws {
        try await reportingFailures {
            let list = try await service.connect(waiting: nil).call(
                ServiceHolds.self, .init(tenant: tenant, limit: limit, cursor: cursor))
            if service.json { return try Output.json(list) }
            var table = Table(header: ["EXPORT", "TENANT", "HELD SINCE", "BY", "UNTIL", "REASON"])
            for held in list.holds {
                table.append([
                    "\(held.job.id)", "\(held.job.tenant)", "\(held.hold.since ?? "-")", "\(held.hold.user)",
                    "\(held.hold.until ?? "no end")", "\(held.hold.reason ?? "-")",
                ])
            }
            try Output.result(table.text)
            if let cursor = list.nextCursor { Output.message("there are more holds; to list them, use --cursor \(cursor)") }
        }
    }
}

extension LegalHold {
    /// The user by the name that this machine has for the id, or by the id.
    fileprivate var user: String {
        guard let uid else { return "-" }
        // SAFETY: the name is copied before the next call.
        guard let id = uid_t(exactly: uid), let entry = unsafe getpwuid(id) else { return "uid \(uid)" }
        return unsafe String(cString: entry.pointee.pw_name)
    }

    fileprivate var lines: [(label: String, value: String)] {
        [
            ("Held since", since ?? "unknown"), ("Held by", user), ("Held until", until ?? "an operator releases it"),
            ("Reason", reason ?? "none given"),
        ]
    }
}
