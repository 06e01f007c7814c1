package import ArgumentParser
internal import Logging
internal import Exports
private import Foundation

/// `adminexportd`: the service's processes and its maintenance commands.
package struct AdminExportDaemon: AsyncParsableCommand {
    static let version = "0.1.0"

    /// The name, the help text and the subcommands.
    package static let configuration = CommandConfiguration(
        commandName: "adminexportd",
        abstract:
            "Make Excel workbooks of administrator accounts for local programs, which send requests over a Unix socket.",
        discussion: """
            The commands read the configuration from \(ServiceConfiguration.defaultFile), or from the file that --config or \
            ADMINEXPORT_CONFIG names. An option takes precedence over its environment variable (ADMINEXPORT_…), and the variable \
            over the file.

            EXIT STATUS
              0   success, or stopped by a signal
              1   failure
              64  the command line is wrong
              69  the database cannot be reached (only commands that do not wait for it)
              78  the configuration must be changed; the message says what to change
            """,
        version: "\(version) (schema \(Migrator.version))",
        subcommands: [
            ServeCommand.self, WorkCommand.self, MigrateCommand.self, PruneCommand.self, CheckConfigCommand.self,
            ConfigReferenceCommand.self, MakeKeyCommand.self, DemoDataCommand.self, OpenRPCCommand.self,
        ])

    /// Creates the command; the parser fills its options.
    package init() {}
}

/// Flags that every subcommand has.
struct CommonOptions: ParsableArguments, Sendable {
    @Option(help: "The configuration file.", completion: .file(extensions: ["yaml"]))
    var config: String?

    @Option(help: "The database with the queue, as a libpq URI without a password.")
    var databaseURL: String?

    @Option(help: "The least severe level to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    typealias Loaded = (configuration: ServiceConfiguration, logger: Logger, level: ServiceLog.Level)

    func load(_ further: [String: String?] = [:]) throws -> Loaded {
        var flags = further.compactMapValues(\.self)
        flags["database.url"] = databaseURL
        flags["log.level"] = logLevel
        let configuration = try ServiceConfiguration(
            flags: flags, file: config, environment: ProcessInfo.processInfo.environment)
        let level = ServiceLog.Level(configuration.logLevel)
        let logger = Logger(label: "adminexportd") { _ in ServiceLog(level: level) }
        for warning in configuration.warnings { logger.report(DaemonEvent.configurationWarning, [.warning: warning]) }
        return (configuration, logger, level)
    }
}
