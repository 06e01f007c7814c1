internal import ArgumentParser

/// Checks what `serve` and `work` would run with.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration, the archives' directory, the database, its roles and the directory's relations.")

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of archives.")
    var archives: String?

    func run() async throws {
        try await reportingFaults {
            try await Assembly(common.load([.archives: archives])).check()
            print("The configuration works.")
        }
    }
}
