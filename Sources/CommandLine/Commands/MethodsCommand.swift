internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

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
            let lines = methods.map { (name: TerminalText(escaping: $0.name), summary: $0.summary) }
            let width = lines.map(\.name.width).max() ?? 0
            try Output.result(lines.map { "\($0.name.padded(to: width + 2))\($0.summary)" }.joined(separator: "\n"))
        }
    }
}
