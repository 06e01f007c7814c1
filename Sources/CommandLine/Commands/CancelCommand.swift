internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Cancels an export.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel an export; one that is done stays as it is.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let client = try await service.connect(waiting: waiting.wait)
            try Output.job(
                try await client.call(ExportCancel.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}
