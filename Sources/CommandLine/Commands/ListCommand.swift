internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Lists the actor's exports, or everybody's for an operator.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List exports, newest first.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var waiting: WaitOptions

    @Option(
        help: "Only exports in this state: \(Job.State.allCases.map(\.rawValue).joined(separator: ", ")). May be repeated.",
        completion: .list(Job.State.allCases.map(\.rawValue)))
    var state: [String] = []

    @Option(help: "How many at most, 1 to 100.")
    var limit = 20

    @Option(help: "Where the last page ended.")
    var cursor: String?

    func validate() throws {
        if let unknown = state.first(where: { Job.State(rawValue: $0) == nil }) {
            throw ValidationError("There is no state \(unknown).")
        }
    }

    func run() async throws {
        // An operator names a tenant, or none.
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
            if let cursor = list.nextCursor { Output.message("there are more: --cursor \(cursor)") }
        }
    }
}
