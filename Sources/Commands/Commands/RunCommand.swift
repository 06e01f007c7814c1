internal import ArgumentParser
internal import Client
internal import ExportAPI
private import Foundation
private import Terminal

/// Starts an export, waits for it, and fetches the workbook.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Export and download, in one go.",
        discussion: "^C cancels the export; a second ^C does not wait for that and ends this program.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var choices: ExportChoices
    @OptionGroup var destination: OutputOptions

    @Flag(name: [.customShort("q"), .long], help: "Show no progress.")
    var quiet = false

    func validate() throws {
        if service.json, destination.output == "-" {
            throw ValidationError("--json and -o - both want standard output.")
        }
    }

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try service.connect()
            let download = Download(client: client, actor: actor, options: destination)
            try download.checkDestination()
            let started = try await client.call(ExportStart.self, choices.params(actor)).job
            let job = try await remembering(started) { try await finish(started, actor, client) }
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

    private func finish(_ job: Job, _ actor: Actor, _ client: Client) async throws -> Job {
        let progress = ProgressReporter(quiet: quiet)
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
        defer {
            progress.end()
            withExtendedLifetime(interrupt) {}
        }
        return try await client.finish(actor, job: job.id) { progress.show($0) }
    }

    private struct Finished: Encodable {
        let job: Job
        let file: String?
    }
}

extension ExportChoices {
    func params(_ actor: Actor) -> ExportStart.Params {
        ExportStart.Params(
            actor: actor, includeDisabled: includeDisabled, includeReferences: includeReferences,
            idempotencyKey: idempotencyKey)
    }
}
