package import ArgumentParser
private import Foundation

/// `adminexport`: the command line of the service.
package struct AdminExport: AsyncParsableCommand {
    static let version = "0.1.0"

    /// The name, the help text and the subcommands.
    package static let configuration = CommandConfiguration(
        commandName: "adminexport",
        abstract: "Export administrator accounts to Excel workbooks.",
        discussion: """
            The service makes the workbook. This program starts the export, shows its progress, and downloads it.

            Results go to standard output, all other messages to standard error.

            ENVIRONMENT
              ADMINEXPORT_SOCKET  the service's socket (default \(ServiceOptions.defaultSocket))
              ADMINEXPORT_TENANT  the tenant's slug, instead of --tenant
              ADMINEXPORT_AS      the administrator's e-mail address, instead of --as, which ps shows to other users

            EXIT STATUS
              0    success
              1    the export failed, the service refused the request, or a verification failed
              2    the export was cancelled
              64   the command line is wrong
              69   the service cannot be reached
              73   the file cannot be created
              75   temporary failure: try again later
              77   permission denied
              130  interrupted while an export was being cancelled
            """,
        version: version,
        subcommands: [
            RunCommand.self, StartCommand.self, GetCommand.self, ListCommand.self, WaitCommand.self, CancelCommand.self,
            DownloadCommand.self, ReceiptCommand.self, VerifyCommand.self, DeleteCommand.self, InfoCommand.self,
            HealthCommand.self, CallCommand.self,
            MethodsCommand.self, DescribeCommand.self, AuditCommand.self, HoldCommand.self, HoldsCommand.self,
            WorkersCommand.self,
            DrainCommand.self, PauseCommand.self, ResumeCommand.self, MetricsCommand.self, StatsCommand.self,
            DoctorCommand.self,
        ])

    /// Creates the command; the parser fills its options.
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
            // Help is this program's own text. An error message repeats the command line, which can contain anything, so it is
            // escaped.
            guard !status.isSuccess else { exit(withError: error) }
            let message = fullMessage(for: error)
            if !message.isEmpty { Output.diagnostic("\(TerminalText(lines: message))\n") }
            Foundation.exit(status.rawValue)
        }
    }
}
