internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Deletes an export's workbook.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete the workbook of an export that is done.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let client = try await service.connect(waiting: waiting.wait)
            try Output.job(
                try await client.call(ExportDelete.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}
