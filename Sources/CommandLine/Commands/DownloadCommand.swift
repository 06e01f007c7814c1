internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Fetches the workbook of an export that is done.
struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Download the workbook of an export that is done.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var destination: OutputOptions
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            try Download.check(destination)
            let client = try await service.connect(waiting: waiting.wait)
            let download = Download(client: client, actor: actor, options: destination)
            let job = try await client.call(ExportGet.self, .init(actor: actor, job: job.id)).job
            if let path = try await download.run(job) { try Output.path(path) }
        }
    }
}
