private import Dispatch
private import Exports
private import Glibc
internal import Logging
internal import ServiceLifecycle

/// Ends the process when its services have not stopped in time after they were told to: what they held is found by others, as
/// after a crash.
struct ExitDeadline: Service {
    let budget: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        DispatchQueue.global().asyncAfter(deadline: .now() + budget / .seconds(1)) { [logger, budget] in
            logger.report(DaemonEvent.stopOverdue, [.seconds: budget.components.seconds])
            _exit(1)
        }
    }
}
