internal import ArgumentParser

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

    func run() async throws {
        try await reportingFaults {
            let ability = try await Assembly(common.load([.archives: archives])).check()
            print("The configuration works. This login can \(ability.commands.joined(separator: " and ")).")
            for fault in ability.faults { print("It cannot \(fault).") }
            for note in ability.notes { print("Note: \(note).") }
        }
    }
}
