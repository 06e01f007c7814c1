internal import ArgumentParser
internal import Client
internal import ExportAPI

/// Waits until an export is final.
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until an export is done, and show it.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument

    @Flag(name: [.customShort("q"), .long], help: "Show no progress.")
    var quiet = false

    func run() async throws {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let progress = ProgressReporter(quiet: quiet)
            let finished: Job
            do {
                defer { progress.end() }
                finished = try await service.connect().finish(actor, job: job.id) { progress.show($0) }
            }
            try Output.job(finished, json: service.json)
            switch finished.state {
            case .failed: throw ExitCode(ExitStatus.failed.rawValue)
            case .cancelled: throw ExitCode(ExitStatus.cancelled.rawValue)
            default: break
            }
        }
    }
}
