package import ArgumentParser
private import Foundation

/// `adminexport`: asks the service for workbooks of administrator accounts.
package struct AdminExport: AsyncParsableCommand {
    static let version = "0.1.0"

    package static let configuration = CommandConfiguration(
        commandName: "adminexport",
        abstract: "Export administrator accounts to Excel workbooks.",
        discussion: """
            The service makes the workbook; this program asks for it, shows how far it is, and fetches it.

            Results go to standard output, everything else to standard error.

            ENVIRONMENT
              ADMINEXPORT_SOCKET  the service's socket (default \(ServiceOptions.defaultSocket))
              ADMINEXPORT_TENANT  the tenant's slug, instead of --tenant
              ADMINEXPORT_AS      the administrator's e-mail, instead of --as (ps shows flags to everyone)

            EXIT STATUS
              0    done
              1    the export failed, or the service refused the request
              2    the export was cancelled
              64   the command line is wrong
              69   the service cannot be reached
              73   the file cannot be created
              75   not now: try again later
              77   denied
              130  interrupted while an export was being cancelled
            """,
        version: version,
        subcommands: [
            RunCommand.self, StartCommand.self, GetCommand.self, ListCommand.self, WaitCommand.self, CancelCommand.self,
            DownloadCommand.self, DeleteCommand.self, InfoCommand.self, HealthCommand.self, CallCommand.self,
            MethodsCommand.self, DescribeCommand.self, AuditCommand.self, HoldCommand.self, WorkersCommand.self,
            DrainCommand.self, PauseCommand.self, ResumeCommand.self, MetricsCommand.self, StatsCommand.self,
            DoctorCommand.self,
        ])

    package init() {}

    /// Runs the command line and ends the process.
    package static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let status = exitCode(for: error)
            // Help and the like are this program's own words. What is wrong with a command line repeats it, and whatever a script has
            // put into it.
            guard !status.isSuccess else { exit(withError: error) }
            let message = fullMessage(for: error)
            if !message.isEmpty { Output.diagnostic("\(TerminalText(lines: message))\n") }
            Foundation.exit(status.rawValue)
        }
    }
}
