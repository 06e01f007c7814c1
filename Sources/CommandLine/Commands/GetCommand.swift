internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Shows one export.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Show an export.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let client = try await service.connect(waiting: waiting.wait)
            try Output.job(
                try await client.call(ExportGet.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}
