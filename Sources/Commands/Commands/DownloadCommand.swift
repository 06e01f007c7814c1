internal import ArgumentParser
internal import Client
internal import ExportAPI

/// Fetches the workbook of an export that is done.
struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Download the workbook of an export that is done.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var destination: OutputOptions

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try service.connect()
            let download = Download(client: client, actor: actor, options: destination)
            try download.checkDestination()
            let job = try await client.call(ExportGet.self, .init(actor: actor, job: job.id)).job
            if let path = try await download.run(job) { try Output.path(path) }
        }
    }
}
