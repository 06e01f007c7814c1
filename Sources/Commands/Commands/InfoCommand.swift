internal import ArgumentParser
internal import Client
internal import ExportAPI

/// Shows what the service is.
struct InfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show the service's version and limits, and what you may do.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let info = try await service.connect().call(ServiceInfo.self, NoParams())
            if service.json { return try Output.json(info) }
            try Output.result(
                """
                \(info.name) \(info.version), protocol \(info.protocolVersion)
                You are uid \(info.caller.uid), gid \(info.caller.gid).
                Grants: \(info.caller.grants.isEmpty ? "none" : info.caller.grants.joined(separator: ", "))
                Tenants: \(info.caller.tenants == ["*"] ? "all" : info.caller.tenants.joined(separator: ", "))
                """)
        }
    }
}
