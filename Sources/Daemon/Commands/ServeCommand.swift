internal import ArgumentParser
private import Systemd

/// Serves callers.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve callers on the socket, and make exports if workers are configured.")

    @OptionGroup var common: CommonOptions

    @Option(help: "Where callers connect, unless the service manager passes a socket.")
    var socket: String?

    @Option(help: "The directory of archives.")
    var archives: String?

    @Option(help: "Exports that this process makes at a time; 0 for none.")
    var workers: String?

    func run() async throws {
        try await reportingFaults {
            let manager = ServiceManager()
            let flags = [ConfigurationKey.socket: socket, .archives: archives, .workers: workers]
            let (configuration, logger) = try common.load(flags)
            let common = common
            try await Assembly(configuration, logger: logger).serve(manager: manager) { try common.load(flags).0 }
        }
    }
}
