internal import NIOCore
internal import ServiceLifecycle
internal import Systemd

/// Tells the service manager how the process does, for as long as it runs: what it does now, that it works, and, while it stops,
/// that it still needs time.
///
/// It runs on the threads that serve callers and asks the event loop too, so that the manager hears nothing from a process
/// that does not serve any more.
struct ManagerReport: Service {
    /// How old what is told may be.
    private static let interval: Duration = .seconds(5)
    /// How long a worker's loop may take to come round: its waits for a database and a disk that do not answer add up to less.
    private static let patience: Duration = .seconds(60)
    /// The manager waits so much longer each time that it hears of a process that stops.
    private static let extraTime: Duration = .seconds(15)

    let manager: ServiceManager
    let status: ServiceStatus
    /// The event loop that serves, if any.
    let loop: (any EventLoop)?
    /// How long ago the loop that claims jobs was seen to go round; nil where there is none.
    let sincePulse: @Sendable () -> Duration?

    func run() async throws {
        guard manager.isPresent else { return try await gracefulShutdown() }
        let watching = manager.watchdog.map { $0 / 3 } ?? Self.interval
        // Told last of all services, when there is nothing left to say.
        try? await cancelWhenGracefulShutdown {
            var told = ""
            while true {
                try await Task.sleep(for: min(Self.interval, watching))
                await loopTurn()
                if sincePulse().map({ $0 < Self.patience }) ?? true { manager.isAlive() }
                if status.isStopping { manager.extendTimeout(by: Self.extraTime) }
                let text = status.text
                if text != told { manager.status(text) }
                told = text
            }
        }
    }

    /// Comes back when the event loop has taken its turn.
    private func loopTurn() async {
        guard let loop else { return }
        try? await loop.submit {}.get()
    }
}

/// Tells the manager that the process is on its way out. The last of the services, and so the first that hears of it.
struct StopNotice: Service {
    let manager: ServiceManager
    let status: ServiceStatus

    func run() async throws {
        try? await gracefulShutdown()
        status.stop()
        manager.stopping(status: status.text)
    }
}
