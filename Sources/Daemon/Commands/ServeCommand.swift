internal import ArgumentParser
private import Systemd

/// Serves callers, and runs exports if `workers` is above 0.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve callers on the socket, and make exports if workers is not 0.")

    @OptionGroup var common: CommonOptions

    @Option(help: "The path of the socket, unless the service manager passes a socket.")
    var socket: String?

    @Option(help: "The directory of the archives.")
    var archives: String?

    @Option(help: "The number of exports that this process makes at a time. With 0, it makes none.")
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
