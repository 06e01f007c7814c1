internal import ArgumentParser

/// Prints every key of the configuration.
struct ConfigReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config-reference",
        abstract: "Print every configuration key with its variable, values, default and meaning.")

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, markdown, mdoc
    }

    @Option(help: "The output format: text, markdown (as in the README) or mdoc (as in the manual page).")
    var format = Format.text

    func run() {
        switch format {
        case .text: print(ConfigurationReference.text, terminator: "")
        case .markdown: print(ConfigurationReference.markdown, terminator: "")
        case .mdoc: print(ConfigurationReference.mdoc, terminator: "")
        }
    }
}

/// Checks what `serve` and `work` would run with.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration, the archives' directory, the database, its roles and the directory's relations.",
        discussion: """
            Run the command as the user of the process whose configuration you check: the process that serves callers and the process \
            that makes exports have different roles in the database, and the command checks the roles that this user's login has.

            The command runs EXPLAIN on every statement that reads the directory, under the role that the services use for it, and checks \
            columns, types, privileges and row-level security. If no index proves that keys are unique, it reads all rows to check that \
            they are.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of the archives.")
    var archives: String?

    @Flag(help: "Print first the value of each key and where it comes from, without secrets.")
    var values = false

    func run() async throws {
        try await reportingFaults {
            let loaded = try common.load(["archives": archives])
            if values { print(loaded.configuration.list, terminator: "") }
            let report = try await ConfigurationCheck(loaded).run()
            print("The configuration works. This login can \(report.commands.joined(separator: " and ")).")
            for fault in report.faults { print("It cannot \(fault).") }
            for note in report.notes { print("Note: \(note).") }
        }
    }
}
