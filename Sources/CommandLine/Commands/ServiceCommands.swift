internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Shows the service's version, and what the caller may do.
struct InfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show the service's version and what you may do. With --json, also its limits.")

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
    /// The grant in words.
    var words: String {
        let tenants = tenants + (keys ?? []).map { "the tenant with the key \($0)" }
        return "\(grant) for \(tenants == ["*"] ? "all tenants" : tenants.joined(separator: ", "))"
    }
}

/// Shows whether the service works. The exit status is 75 if it does not.
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
