internal import Exports
private import Glibc
internal import Logging
internal import ServiceLifecycle
internal import Systemd
private import UnixSignals

/// Reads the configuration again at SIGHUP and applies the rules about callers, the limits, idempotency and the log level. Other
/// changes take effect after a restart.
///
/// If anything in the configuration is wrong, nothing changes. The journal and the status say why, and the manager gets the error number
/// `EINVAL` (`StatusErrno`), by which `adminexport doctor` knows of it.
struct ConfigurationReload: Service {
    let manager: ServiceManager
    let status: ServiceStatus
    let load: @Sendable () throws -> ServiceConfiguration
    /// The configuration with which the process was started.
    let started: ServiceConfiguration
    /// Applies all of it or nothing.
    let apply: @Sendable (ServiceConfiguration) throws -> Void
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            manager.reloading(status: "Reading the configuration")
            do {
                let configuration = try load()
                try apply(configuration)
                let waiting = configuration.changes(from: started).joined(separator: ", ")
                status.configurationApplied(restartNeeded: waiting.isEmpty ? nil : waiting)
                logger.report(
                    DaemonEvent.configurationApplied, waiting.isEmpty ? [:] : [.restartNeeded: waiting])
                manager.ready(status: status.text, error: 0)
            } catch {
                status.configurationRefused("\(error)")
                logger.report(DaemonEvent.configurationRefused, [.error: error])
                manager.ready(status: status.text, error: EINVAL)
            }
        }
    }
}

/// Makes a worker hand its jobs back at once if the process gets a second signal to stop. This service is before the worker in
/// the list of services, so it stops after the worker.
struct ForceDrainSignal: Service {
    let drain: Drain

    func run() async throws {
        var isStopping = false
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint).cancelOnGracefulShutdown() {
            if isStopping { drain.force() }
            isStopping = true
        }
    }
}
