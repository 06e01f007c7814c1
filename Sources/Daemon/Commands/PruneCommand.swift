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
            of the audit trail. Only a member of adminexport_owner can remove them. If workers sign checkpoints of the trail, the command \
            waits until a worker has signed that these months are removed: adminexport audit --verify then tells them apart from events that \
            somebody has removed by hand.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The directory of the archives.")
    var archives: String?

    @Option(help: "Remove only the months of the audit trail that ended before this day, such as 2026-01-01.")
    var auditBefore: String?

    @Flag(
        help:
            "With --audit-before: do not wait for a worker's signature. Afterwards, adminexport audit --verify reports the removed events."
    )
    var unsigned = false

    func validate() throws {
        if unsigned, auditBefore == nil { throw ValidationError("--unsigned requires --audit-before.") }
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
                try await pruneAudit(before: auditBefore, loaded.configuration)
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

    private func pruneAudit(before day: String, _ configuration: ServiceConfiguration) async throws {
        var options = configuration.options(for: .jobs, as: "prune")
        options.statementTimeout = .seconds(600)
        let connection = try await PostgresConnection.connect(options)
        try await Migrator.checkRoles([DatabaseRole.owner], on: connection)
        // Months that end while the command waits stay for the next run.
        let end = try await AuditRetention().end(before: day, on: connection) ?? day
        if !unsigned { try await Self.waitForSignature(before: end, connection) }
        do {
            try await AuditRetention().prune(before: end, on: connection) { print("Removed from the audit trail: \($0)") }
        } catch let error as PostgresError where error.sqlState == SQLState.lockNotAvailable {
            throw ConfigurationFault(
                "another transaction, such as a dump, reads the audit trail; run the command again when it has ended")
        }
        print("The audit trail has no month that ended before \(day).")
    }

    /// How long a worker may take to sign. It looks for requests about every 30 s.
    private static let maxWait: Duration = .seconds(180)

    private static func waitForSignature(before end: String, _ connection: PostgresConnection) async throws {
        let retention = AuditRetention()
        guard try await retention.end(before: end, on: connection) != nil, try await retention.hasCheckpoints(on: connection)
        else { return }
        try await retention.request(before: end, on: connection)
        print("Waiting for a worker to sign that the events before \(end) are removed.")
        let deadline = ContinuousClock.now + maxWait
        while try await !retention.isSigned(before: end, on: connection) {
            guard .now < deadline else {
                try await retention.withdraw(before: end, on: connection)
                throw ConfigurationFault(
                    "no worker has signed a checkpoint within \(maxWait.components.seconds) s, so nothing was removed; check that a worker with the credential signing-key runs and that no transaction is open for long, or use --unsigned"
                )
            }
            try await Task.sleep(for: .seconds(1))
            // A worker that has many checkpoints to make signs the request with the last one.
            try await retention.request(before: end, on: connection)
        }
    }
}
