internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Puts an export in the queue and does not wait for it.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start an export and print its id.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var choices: ExportChoices
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let job = try await service.connect(waiting: waiting.wait).call(ExportStart.self, choices.params(actor)).job
            if service.json { try Output.json(job) } else { try Output.result("\(job.id)") }
        }
    }
}
