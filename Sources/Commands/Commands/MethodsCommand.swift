internal import ArgumentParser
internal import Client

/// Lists what can be called.
struct MethodsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "methods", abstract: "List the methods that the service has.")

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let methods = try await Discovery(service.connect()).methods
            if service.json {
                return try Output.json(Dictionary(methods.map { ($0.name, $0.summary) }) { first, _ in first })
            }
            let width = methods.map(\.name.count).max() ?? 0
            try Output.result(
                methods.map { $0.name + String(repeating: " ", count: width + 2 - $0.name.count) + $0.summary }
                    .joined(separator: "\n"))
        }
    }
}
