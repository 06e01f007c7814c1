private import Exports
internal import Logging
internal import ServiceLifecycle
internal import Systemd
private import UnixSignals

/// Reads the configuration again at SIGHUP: the rules about callers, the limits and the log's level. What else has changed in it
/// takes a restart.
///
/// All of it is checked first; where anything in it is wrong, everything stays as it is, and the journal and the status say why.
struct ConfigurationReload: Service {
    let manager: ServiceManager
    let status: ServiceStatus
    let load: @Sendable () throws -> ServiceConfiguration
    /// What the process was started with.
    let started: ServiceConfiguration
    /// Puts it in force, all or nothing.
    let apply: @Sendable (ServiceConfiguration) throws -> Void
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            manager.reloading(status: "Reading the configuration again")
            do {
                let configuration = try load()
                try apply(configuration)
                let waiting = configuration.changes(from: started).joined(separator: ", ")
                status.configurationTaken(restartFor: waiting.isEmpty ? nil : waiting)
                logger.report(
                    DaemonEvent.configurationApplied, waiting.isEmpty ? [:] : [.restartNeeded: waiting])
            } catch {
                status.configurationFault("\(error)")
                logger.report(DaemonEvent.configurationRefused, [.error: error])
            }
            manager.ready(status: status.text)
        }
    }
}
