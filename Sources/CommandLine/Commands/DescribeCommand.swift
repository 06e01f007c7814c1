internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser

/// Tells all about one method.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Describe a method: parameters, result, errors, examples.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The method, for example export.start.")
    var method: String

    func run() async throws {
        try await reportingFailures {
            let discovery = try await Discovery(service.connect())
            guard let found = discovery.method(method) else {
                throw CommandFailure(
                    status: .usage, message: "there is no method \(method); adminexport methods lists those there are")
            }
            if service.json { return try Output.json(found) }
            let lines = try discovery.lines(describing: found)
            try Output.result(lines.map { TerminalText(escaping: $0) }.joined(separator: "\n"))
        }
    }
}
