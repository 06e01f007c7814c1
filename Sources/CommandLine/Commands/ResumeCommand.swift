internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Lets the queue go on.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let the queue go on, for operators.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            _ = try await service.connect(waiting: nil).call(ServiceResume.self, NoMembers())
            if service.json { try Output.json(NoMembers()) } else { Output.message("the queue goes on") }
        }
    }
}
