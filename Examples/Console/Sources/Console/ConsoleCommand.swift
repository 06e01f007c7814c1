public import ArgumentParser
import Hummingbird
import Logging
import ServiceLifecycle
import UnixSignals

/// Serves the console until the process receives SIGTERM or SIGINT.
public struct ConsoleCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "adminexport-console",
        abstract: "Serve the pages on which administrators see accounts and export them.",
        discussion: """
            A small reference implementation for a platform's own product. It calls the export service through its socket, and \
            reads the list of accounts from the directory's database (ADMINEXPORT_CONSOLE_DATABASE_URL).
            """)

    @OptionGroup var options: ConsoleOptions

    public init() {}

    public func run() async throws {
        let configuration = try options.configuration()
        var logger = Logger(label: "adminexport-console") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        var group = ServiceGroupConfiguration(
            services: [try Console(configuration, logger: logger).application()],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Downloads in progress may take this long to end.
        group.maximumGracefulShutdownDuration = .seconds(20)
        try await ServiceGroup(configuration: group).run()
    }
}
