internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Lists the workers.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "List the workers, for operators.")

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
