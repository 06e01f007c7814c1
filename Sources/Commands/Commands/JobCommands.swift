internal import ArgumentParser
internal import Client
internal import ExportAPI

/// The job that a command is about.
struct JobArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The export's id.", valueName: "export"))
    var id: String
}

/// Shows one export.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Show an export.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try service.connect()
            try Output.job(
                try await client.call(ExportGet.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}

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
        let actor = try asActor.actor()
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

/// Cancels an export.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel an export; one that is done stays as it is.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try service.connect()
            try Output.job(
                try await client.call(ExportCancel.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}

/// Deletes an export's workbook.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete the workbook of an export that is done.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try service.connect()
            try Output.job(
                try await client.call(ExportDelete.self, .init(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}

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
            if let path = try await download.run(job) { try Output.result(path) }
        }
    }
}
