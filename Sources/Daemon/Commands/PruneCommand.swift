internal import ArgumentParser
private import Exports
private import Foundation
private import Postgres

/// Does at once what workers do over time, and removes old months of the audit trail.
struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Expire what is due, remove files that nothing names, and forget jobs that are long over.",
        discussion: """
            Workers do all of this by themselves; this does it now, and ends when nothing is left to do. With --audit-before it \
            removes old months of the audit trail instead, which nobody but a member of adminexport_owner can do.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of archives.")
    var archives: String?

    @Option(help: "Remove the audit trail's months that ended before this day, such as 2026-01-01.")
    var auditBefore: String?

    func validate() throws {
        guard let auditBefore else { return }
        guard auditBefore.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil,
            (try? Date.ISO8601FormatStyle().year().month().day().parse(auditBefore)) != nil
        else {
            throw ValidationError("--audit-before is a day, such as 2026-01-01.")
        }
    }

    func run() async throws {
        try await reportingFaults {
            let loaded = try common.load(["archives": archives])
            if let auditBefore {
                try await Self.pruneAudit(before: auditBefore, loaded.configuration)
            } else {
                let (swept, orphans) = try await Assembly(loaded).prune()
                print(
                    "Expired \(swept.expired), removed the files of \(swept.removed) and \(orphans) that nothing names, "
                        + "forgot \(swept.forgotten) exports.")
                if swept.stuck > 0 {
                    throw ConfigurationFault(
                        "the files of \(swept.stuck) exports cannot be removed: check the owner and mode of the archives")
                }
            }
        }
    }

    private static func pruneAudit(before day: String, _ configuration: ServiceConfiguration) async throws {
        var options = configuration.options(for: .jobs, as: "prune")
        options.statementTimeout = .seconds(600)
        let connection = try await PostgresConnection.connect(options)
        try await Migrator.checkRoles([DatabaseRole.owner], on: connection)
        do {
            try await AuditRetention().prune(before: day, on: connection) { print("Removed from the audit trail: \($0)") }
        } catch let error as PostgresError where error.sqlState == SQLState.lockNotAvailable {
            throw ConfigurationFault("the audit trail is being read, by a dump maybe: run this again when that is over")
        }
        print("The audit trail has no month that ended before \(day).")
    }
}
