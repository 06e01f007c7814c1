internal import ArgumentParser
private import Systemd

/// Runs exports.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work", abstract: "Make the exports that callers have started through a serving process.")

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of the archives.")
    var archives: String?

    @Option(help: "The number of exports that this process makes at a time.")
    var workers: String?

    func run() async throws {
        try await reportingFaults {
            let manager = ServiceManager()
            try await Assembly(load()).work(manager: manager) { try load().configuration }
        }
    }

    private func load() throws -> CommonOptions.Loaded {
        try common.load(["archives": archives, "workers": workers])
    }
}
