internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Waits until an export is final.
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until an export is done, and show it.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    @Flag(name: [.customShort("q"), .long], help: "Show no progress, and not why the export waits.")
    var quiet = false

    func run() async throws {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let progress = ProgressReporter(quiet: quiet)
            let client = try await service.connect(waiting: waiting.wait) { [quiet] in if !quiet { progress.say($0) } }
            let finished = try await FollowedExport(client: client, actor: actor, progress: progress, quiet: quiet)
                .finish(job.id)
            try Output.job(finished, json: service.json)
            switch finished.state {
            case .failed: throw ExitCode(ExitStatus.failed.rawValue)
            case .cancelled: throw ExitCode(ExitStatus.cancelled.rawValue)
            default: break
            }
        }
    }
}
