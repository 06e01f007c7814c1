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
