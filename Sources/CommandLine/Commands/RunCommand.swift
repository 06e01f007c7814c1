internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Starts an export, waits for it, and fetches the workbook.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Export and download, in one go.",
        discussion: """
            ^C cancels the export; a second ^C does not wait for that and ends this program.

            A restart of the service ends neither the export nor this program. The program reconnects for a minute, or as long as --wait \
            says, and continues the download at the byte that it had reached.
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var choices: ExportChoices
    @OptionGroup var destination: OutputOptions
    @OptionGroup var waiting: WaitOptions

    @Flag(name: [.customShort("q"), .long], help: "Show no progress, and not why the export waits.")
    var quiet = false

    func validate() throws {
        if service.json, destination.output == "-" {
            throw ValidationError("--json and -o - both want standard output.")
        }
    }

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            try Download.check(destination)
            let progress = ProgressReporter(quiet: quiet)
            let client = try await service.connect(waiting: waiting.wait) { [quiet] in if !quiet { progress.say($0) } }
            let download = Download(client: client, actor: actor, options: destination)
            let started = try await client.call(ExportStart.self, choices.params(actor)).job
            let job = try await remembering(started) { try await finish(started, actor, client, progress) }
            switch job.state {
            case .succeeded: break
            case .cancelled: throw CommandFailure(status: .cancelled, message: "the export was cancelled")
            default:
                throw CommandFailure(
                    status: job.error?.kind == FailureKind.permissionDenied.rawValue ? .denied : .failed,
                    message: job.error.map { "the export failed: \($0.message) (\($0.kind))" }
                        ?? "the export is \(job.state.rawValue)")
            }
            for warning in job.warnings { Output.message("warning: \(Output.describe(warning))") }
            let path = try await remembering(job) { try await download.run(job) }
            if service.json {
                try Output.json(Finished(job: job, file: path))
            } else if let path {
                try Output.path(path)
            }
        }
    }

    /// Says how to go on with the export where this program cannot.
    private func remembering<Result>(_ job: Job, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            Output.message(
                job.state.isFinal
                    ? "the workbook is kept: adminexport download \(job.id) -o FILE fetches it"
                    : "the export goes on without this program: see adminexport get \(job.id), then download \(job.id)")
            throw error
        }
    }

    private func finish(
        _ job: Job, _ actor: ActorName, _ client: ReconnectingClient, _ progress: ProgressReporter
    ) async throws -> Job {
        let interrupt = Interrupt {
            progress.end()
            Output.message("cancelling; press ^C again to stop waiting for it")
            // The answer comes through the wait.
            Task {
                do {
                    let answer = try await client.call(ExportCancel.self, .init(actor: actor, job: job.id)).job
                    if answer.state == .succeeded { Output.message("it was done already") }
                } catch {
                    Output.message("it could not be cancelled: \(error)")
                }
            }
        }
        defer { withExtendedLifetime(interrupt) {} }
        return try await FollowedExport(client: client, actor: actor, progress: progress, quiet: quiet).finish(job.id)
    }

    private struct Finished: Encodable {
        let job: Job
        let file: String?
    }
}

extension ExportChoices {
    func params(_ actor: ActorName) -> ExportStart.Params {
        ExportStart.Params(
            actor: actor, includeDisabled: includeDisabled, includeReferences: includeReferences,
            // A start whose answer is lost is made again, and is to be one all the same.
            idempotencyKey: idempotencyKey ?? "adminexport-\(UUID().uuidString.lowercased())")
    }
}
