internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

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
            try Output.result(TerminalText(json: String(decoding: result, as: UTF8.self)))
        }
    }
}
