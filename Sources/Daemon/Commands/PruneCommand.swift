internal import ArgumentParser
private import Exports
private import Foundation
private import Postgres

/// Does at once what workers do over time, and removes old months of the audit trail.
struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Expire exports, remove files that no export names, and remove the rows of old exports.",
        discussion: """
            Workers do all of this over time; the command does it at once. With --audit-before, the command only removes old months \
            of the audit trail. Only a member of adminexport_owner can remove them.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of the archives.")
    var archives: String?

    @Option(help: "Remove only the months of the audit trail that ended before this day, such as 2026-01-01.")
    var auditBefore: String?

    func validate() throws {
        guard let auditBefore else { return }
        guard auditBefore.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil,
            (try? Date.ISO8601FormatStyle().year().month().day().parse(auditBefore)) != nil
        else {
            throw ValidationError("--audit-before must be a day, such as 2026-01-01.")
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
                    "Exports expired: \(swept.expired). Files of expired exports removed: \(swept.removed). Files that no export "
                        + "names removed: \(orphans). Rows of old exports removed: \(swept.forgotten).")
                if swept.stuck > 0 {
                    throw ConfigurationFault(
                        "the files of \(swept.stuck) exports cannot be removed; check the owner and the mode of the archives"
                    )
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
            throw ConfigurationFault(
                "another transaction, such as a dump, reads the audit trail; run the command again when it has ended")
        }
        print("The audit trail has no month that ended before \(day).")
    }
}
