internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Shows whether the service works; the exit status says so too.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "health", abstract: "Show whether the service works.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let health = try await service.connect().call(ServiceHealth.self, NoMembers())
            if service.json {
                try Output.json(health)
            } else {
                func number(_ value: Int?) -> String { value.map(String.init) ?? "unknown" }
                try Output.result(
                    """
                    Status:   \(health.status.rawValue)
                    Database: \(health.database)
                    Storage:  \(health.storage)
                    Directory: \(health.directory ?? "unknown")
                    Queued:   \(number(health.queued))\(health.paused == true ? ", and the queue is paused" : "")
                    Running:  \(number(health.running))
                    Workers:  \(number(health.workers))
                    """)
            }
            if health.status != .ok { throw ExitCode(ExitStatus.tryAgain.rawValue) }
        }
    }
}
