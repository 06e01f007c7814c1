internal import ArgumentParser

/// Prints every key of the configuration.
struct ConfigReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config-reference",
        abstract: "Print every configuration key with its variable, values, default and meaning.")

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, markdown, mdoc
    }

    @Option(help: "text, or the form that the manuals have: markdown or mdoc.")
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
            Run it as the user whose process it is about: the one that serves callers and the one that makes exports have roles of \
            their own in the database, and each is checked for what it has.

            Every statement that reads the directory is explained under the role that runs it, and its columns, types, privileges and \
            row-level security are looked at. Where no index proves that keys are unique, all rows are read to see whether they are.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of archives.")
    var archives: String?

    @Flag(help: "Print the value of each key and where it comes from, but no secrets.")
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
