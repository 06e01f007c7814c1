public import ArgumentParser
import Hummingbird
import Logging
import ServiceLifecycle
import UnixSignals

/// Serves the console until it is told to stop.
public struct ConsoleCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "adminexport-console",
        abstract: "Serve the pages on which administrators see accounts and export them.",
        discussion: """
            A small reference: what a platform's own product would have. It asks the export service by its socket, and the \
            directory's database (ADMINEXPORT_CONSOLE_DATABASE_URL) for the page of accounts.
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
        // Downloads that are under way come to their end, within this time.
        group.maximumGracefulShutdownDuration = .seconds(20)
        try await ServiceGroup(configuration: group).run()
    }
}
