internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Starts an export, waits for it, and downloads the workbook.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Start an export, wait for it, and download the workbook.",
        discussion: """
            Ctrl-C cancels the export. A second Ctrl-C ends this program without waiting for the cancellation.

            If the service restarts, the export continues. This program reconnects for one minute, or for the time of --wait, and \
            continues the download where it stopped.
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var choices: ExportChoices
    @OptionGroup var destination: OutputOptions
    @OptionGroup var waiting: WaitOptions

    @Flag(name: [.customShort("q"), .long], help: "Print neither progress nor the reason why the export waits.")
    var quiet = false

    func validate() throws {
        if service.json, destination.output == "-" {
            throw ValidationError("--json and -o - cannot be used together: both write to standard output.")
        }
    }

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            try Download.check(destination)
            let progress = ProgressReporter(quiet: quiet)
            let client = try await service.connect(waiting: waiting.wait) { [quiet] in if !quiet { progress.say($0) } }
            let download = Download(client: client, actor: actor, options: destination)
            if destination.receipt { try await Self.checkReceipts(client) }
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
            let files = try await remembering(job) { try await download.run(job) }
            if service.json {
                try Output.json(Finished(job: job, file: files.workbook, receipt: files.receipt))
            } else {
                try Output.paths(files)
            }
        }
    }

    /// An export takes time, so it does not begin if there cannot be a receipt at its end.
    private static func checkReceipts(_ client: ReconnectingClient) async throws {
        let keys = try await client.call(ServiceInfo.self, NoMembers()).signingKeys ?? []
        guard keys.contains(where: { $0.status == .active }) else {
            throw CommandFailure(
                status: .failed,
                message:
                    "the service makes no receipts, because it has no active signing key; leave out --receipt, or ask the operators to run adminexportd make-key"
            )
        }
    }

    /// Prints how to continue with the export if this program cannot.
    private func remembering<Result>(_ job: Job, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            Output.message(
                job.state.isFinal
                    ? "the service keeps the workbook; download it with: adminexport download \(job.id) -o FILE"
                    : "the export continues without this program; see adminexport get \(job.id), then adminexport download \(job.id)"
            )
            throw error
        }
    }

    private func finish(
        _ job: Job, _ actor: ActorName, _ client: ReconnectingClient, _ progress: ProgressReporter
    ) async throws -> Job {
        let interrupt = Interrupt {
            progress.end()
            Output.message("cancelling the export; press Ctrl-C again to end this program without waiting")
            // The wait reports the result.
            Task {
                do {
                    let answer = try await client.call(ExportCancel.self, .init(actor: actor, job: job.id)).job
                    if answer.state == .succeeded { Output.message("the export succeeded before it could be cancelled") }
                } catch {
                    Output.message("the export could not be cancelled: \(error)")
                }
            }
        }
        defer { withExtendedLifetime(interrupt) {} }
        return try await FollowedExport(client: client, actor: actor, progress: progress, quiet: quiet).finish(job.id)
    }

    private struct Finished: Encodable {
        let job: Job
        let file: String?
        let receipt: String?
    }
}

extension ExportChoices {
    func params(_ actor: ActorName) -> ExportStart.Params {
        ExportStart.Params(
            actor: actor, includeDisabled: includeDisabled, includeReferences: includeReferences,
            includeAbout: includeAbout,
            // A start whose answer is lost is sent again. The key makes both starts one export.
            idempotencyKey: idempotencyKey ?? "adminexport-\(UUID().uuidString.lowercased())")
    }
}

/// Downloads the workbook of a finished export.
struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Download the workbook of a finished export.")

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
            try Output.paths(try await download.run(job))
        }
    }
}
