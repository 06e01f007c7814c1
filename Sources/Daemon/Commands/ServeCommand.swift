internal import ArgumentParser
private import Systemd

/// Serves callers, and runs exports if `workers` is above 0.
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
            let activation = try SocketActivation()
            do {
                let loaded = try load()
                try await Assembly(loaded).serve(manager: manager, socket: activation) { try load().configuration }
            } catch let fault as ConfigurationFault {
                activation.turnAway()
                throw fault
            }
        }
    }

    private func load() throws -> CommonOptions.Loaded {
        try common.load(["socket": socket, "archives": archives, "workers": workers])
    }
}
