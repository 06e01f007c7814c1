internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Shows what the service is.
struct InfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show the service's version and limits, and what you may do.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let info = try await service.connect().call(ServiceInfo.self, NoMembers())
            if service.json { return try Output.json(info) }
            let grants = info.caller.grants.map(\.words)
            try Output.result(
                """
                \(info.name) \(info.version), protocol \(info.protocolVersion)
                You are uid \(info.caller.uid), gid \(info.caller.gid), in the groups \(info.caller.groups.map(String.init).joined(separator: ", ")).
                Grants: \(grants.isEmpty ? "none" : grants.joined(separator: "; "))
                """)
        }
    }
}

extension ServiceInfo.Caller.Grant {
    /// For people.
    var words: String {
        let tenants = tenants + (keys ?? []).map { "the tenant with the key \($0)" }
        return "\(grant) for \(tenants == ["*"] ? "every tenant" : tenants.joined(separator: ", "))"
    }
}
