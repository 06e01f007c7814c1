internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Puts an export in the queue and does not wait for it.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start an export and print its id, without waiting for it.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var choices: ExportChoices
    @OptionGroup var waiting: WaitOptions

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let job = try await service.connect(waiting: waiting.wait).call(ExportStart.self, choices.params(actor)).job
            if service.json { try Output.json(job) } else { try Output.result("\(job.id)") }
        }
    }
}

/// Shows one export.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Show an export.")

    @OptionGroup var options: JobOptions

    func run() async throws { try await options.call(ExportGet.self) }
}

/// Lists exports: those of the administrator, or for an operator those of all administrators.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List exports, newest first.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var waiting: WaitOptions

    @Option(
        help: "Only exports in this state: \(Job.State.allCases.map(\.rawValue).joined(separator: ", ")). May be repeated.",
        completion: .list(Job.State.allCases.map(\.rawValue)))
    var state: [String] = []

    @Option(help: "The number of exports to list, 1 to 100.")
    var limit = 20

    @Option(help: "The cursor that the previous page printed.")
    var cursor: String?

    func validate() throws {
        if let unknown = state.first(where: { Job.State(rawValue: $0) == nil }) {
            throw ValidationError(
                "--state \(unknown) is not a state; it must be one of \(Job.State.allCases.map(\.rawValue).joined(separator: ", "))."
            )
        }
    }

    func run() async throws {
        // An operator may name a tenant without an administrator.
        let actor = asActor.administratorName == nil ? nil : try asActor.actor()
        try await reportingFailures {
            let list = try await service.connect(waiting: waiting.wait).call(
                ExportList.self,
                .init(
                    actor: actor, tenant: actor == nil ? asActor.tenantName : nil,
                    states: state.isEmpty ? nil : state.compactMap(Job.State.init), limit: limit,
                    cursor: cursor))
            if service.json { return try Output.json(list) }
            var table = Table(header: ["EXPORT", "STATE", "CREATED", "ROWS", "FILE"])
            for job in list.jobs {
                table.append([
                    "\(job.id)", "\(Output.state(job))", "\(job.createdAt)",
                    job.state == .failed ? "-" : "\(ProgressBar.grouped(job.progress.rowsDone))",
                    "\(job.fileName ?? "-")",
                ])
            }
            try Output.result(table.text)
            if let cursor = list.nextCursor {
                Output.message("there are more exports; to list them, use --cursor \(cursor)")
            }
        }
    }
}

/// Waits until an export is final.
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until an export has ended, and show it.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    @Flag(name: [.customShort("q"), .long], help: "Print neither progress nor the reason why the export waits.")
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

/// Cancels an export.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel an export. An export that has ended stays as it is.")

    @OptionGroup var options: JobOptions

    func run() async throws { try await options.call(ExportCancel.self) }
}

/// Deletes an export's workbook.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete the workbook of a finished export.")

    @OptionGroup var options: JobOptions

    func run() async throws { try await options.call(ExportDelete.self) }
}

/// The options of a command about one export.
struct JobOptions: ParsableArguments {
    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    /// Calls a method about the export, and prints the export that it returns.
    func call<Called: Method>(_ method: Called.Type) async throws
    where Called.Params == JobParams, Called.Result == JobReply {
        let actor = try asActor.actorOrOperator()
        try await reportingFailures {
            let client = try await service.connect(waiting: waiting.wait)
            try Output.job(
                try await client.call(method, JobParams(actor: actor, job: job.id)).job, json: service.json)
        }
    }
}

/// The argument that names an export.
struct JobArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The export's id.", valueName: "export"))
    var id: String
}
