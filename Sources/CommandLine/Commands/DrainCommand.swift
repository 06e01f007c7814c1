internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Has a worker take no more jobs.
struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Have a worker take no more exports, for operators.",
        discussion: "What it runs goes on to its end; it can be stopped when it runs none. Lasts until its process ends.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The worker's id, as adminexport workers shows it.")
    var worker: String

    @Flag(help: "Let it take exports again.")
    var undo = false

    func run() async throws {
        try await reportingFailures {
            let drained = try await service.connect(waiting: nil).call(ServiceDrain.self, .init(worker: worker, on: !undo))
            if service.json { return try Output.json(drained) }
            try Output.result(WorkersCommand.table([drained.worker]))
        }
    }
}
