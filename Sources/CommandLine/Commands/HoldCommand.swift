internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Begins or ends a legal hold.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep an export's workbook from expiry and deletion, for operators.")

    @OptionGroup var service: ServiceOptions
    @OptionGroup var job: JobArgument

    @Flag(help: "End the hold.")
    var release = false

    func run() async throws {
        try await reportingFailures {
            let reply = try await service.connect(waiting: nil).call(ServiceHold.self, .init(job: job.id, on: !release))
            if service.json { return try Output.json(reply) }
            try Output.job(reply.job, json: false)
            Output.message(reply.held ? "it is under a legal hold" : "it is under no legal hold")
        }
    }
}
