internal import ArgumentParser
internal import Client
internal import ExportAPI
private import Foundation

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

/// Shows whether the service works; the exit status says so too.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "health", abstract: "Show whether the service works.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let health = try await service.connect().call(ServiceHealth.self, NoParams())
            if service.json {
                try Output.json(health)
            } else {
                func number(_ value: Int?) -> String { value.map(String.init) ?? "unknown" }
                try Output.result(
                    """
                    Status:   \(health.status.rawValue)
                    Database: \(health.database)
                    Storage:  \(health.storage)
                    Queued:   \(number(health.queued))
                    Running:  \(number(health.running))
                    Workers:  \(number(health.workers))
                    """)
            }
            if health.status != .ok { throw ExitCode(ExitStatus.tryAgain.rawValue) }
        }
    }
}

/// Calls any method with JSON.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call a method with parameters in JSON, and print the result as JSON.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The method, for example service.health.")
    var method: String

    @Argument(help: "The parameters, a JSON object; - reads standard input.")
    var params = "{}"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 90

    func validate() throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is 1 to 86,400 seconds.") }
    }

    func run() async throws {
        try await reportingFailures {
            let text = params == "-" ? FileHandle.standardInput.readDataToEndOfFile() : Data(params.utf8)
            guard let object = try? JSONSerialization.jsonObject(with: text), object is [String: Any] else {
                throw CommandFailure(status: .usage, message: "the parameters are no JSON object")
            }
            // One line: the protocol ends a message at a line feed.
            let line = Data(text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
            let result = try await service.connect().call(method, params: line, timeout: .seconds(timeout))
            try Output.result(String(decoding: result, as: UTF8.self))
        }
    }
}
