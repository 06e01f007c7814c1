internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Lists the methods of the service.
struct MethodsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "methods", abstract: "List the methods of the service.")

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

/// Describes one method.
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
                    status: .usage, message: "the service has no method \(method); adminexport methods lists its methods")
            }
            if service.json { return try Output.json(found) }
            let lines = try discovery.lines(describing: found)
            try Output.result(lines.map { TerminalText(escaping: $0) }.joined(separator: "\n"))
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

    @Argument(help: "The parameters as a JSON object, or - to read them from standard input.")
    var params = "{}"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 90

    func validate() throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 86,400 seconds.") }
    }

    func run() async throws {
        try await reportingFailures {
            let text = params == "-" ? FileHandle.standardInput.readDataToEndOfFile() : Data(params.utf8)
            guard let object = try? JSONSerialization.jsonObject(with: text), object is [String: Any] else {
                throw CommandFailure(
                    status: .usage, message: "the parameters are not a JSON object; write them as in {\"job\":\"…\"}")
            }
            // One line, because the protocol ends a message at a line feed.
            let line = Data(text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
            let result = try await service.connect().call(method, params: line, timeout: .seconds(timeout))
            try Output.result(TerminalText(json: String(decoding: result, as: UTF8.self)))
        }
    }
}
