internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Stops the queue.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Stop the queue, for operators: nothing more is started, what runs goes on to its end.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            _ = try await service.connect(waiting: nil).call(ServicePause.self, NoMembers())
            if service.json { try Output.json(NoMembers()) } else { Output.message("the queue stands still") }
        }
    }
}
