internal import NIOCore
internal import ServiceLifecycle
private import Synchronization
internal import Systemd

/// Reports to the service manager, while the process runs: its status, that it works, and, while it stops, that it still needs time.
///
/// The report runs on the threads that serve callers and also waits for the event loop. So a process that no longer serves does
/// not report, and the watchdog ends it.
struct ManagerReport: Service {
    /// How often the status is sent, if it has changed.
    private static let interval: Duration = .seconds(5)
    /// The longest time between two rounds of a worker's loop. Its timeouts for the database and the disk add up to less.
    private static let timeout: Duration = .seconds(60)
    /// How much longer the manager waits, each time that the stopping process reports.
    private static let extraTime: Duration = .seconds(15)

    let manager: ServiceManager
    let status: ServiceStatus
    /// The event loop that serves, if any.
    let loop: (any EventLoop)?
    /// The time since the last round of the loop that claims jobs; nil if there is no such loop.
    let sinceProgress: @Sendable () -> Duration?

    func run() async throws {
        guard manager.isPresent else { return try await gracefulShutdown() }
        let interval = min(Self.interval, manager.watchdog.map { $0 / 3 } ?? Self.interval)
        // This service stops last.
        try? await cancelWhenGracefulShutdown {
            var sent = ""
            while true {
                try await Task.sleep(for: interval)
                try? await loop?.submit {}.get()
                if sinceProgress().map({ $0 < Self.timeout }) ?? true { manager.isAlive() }
                if status.isStopping { manager.extendTimeout(by: Self.extraTime) }
                let text = status.text
                if text != sent { manager.status(text) }
                sent = text
            }
        }
    }
}

/// Tells the manager that the process stops. It is the last of the services, and so the first that stops.
struct StopNotice: Service {
    let manager: ServiceManager
    let status: ServiceStatus

    func run() async throws {
        try? await gracefulShutdown()
        status.stop()
        manager.stopping(status: status.text)
    }
}

/// What the process does now, in one line for people (`systemctl status`).
final class ServiceStatus: Sendable {
    private let activity: String
    private let figures: @Sendable () -> [String]
    private let state = Mutex((isStopping: false, fault: String?.none, restartNeeded: String?.none))

    /// - Parameters:
    ///   - activity: the first word, such as `Serving`.
    ///   - figures: what follows it.
    init(_ activity: String, figures: @escaping @Sendable () -> [String]) {
        self.activity = activity
        self.figures = figures
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    func stop() {
        state.withLock { $0.isStopping = true }
    }

    func configurationRefused(_ fault: String) {
        state.withLock { $0.fault = fault }
    }

    /// - Parameter keys: the changed keys that take effect after a restart.
    func configurationApplied(restartNeeded keys: String?) {
        state.withLock { $0 = ($0.isStopping, nil, keys) }
    }

    var text: String {
        let (isStopping, fault, restartNeeded) = state.withLock { $0 }
        var text = ([isStopping ? "Stopping" : activity] + figures()).joined(separator: ", ")
        if let restartNeeded { text += ". Changes that take effect after a restart: \(restartNeeded)" }
        if let fault { text += ". Refused the new configuration: \(fault)" }
        return text
    }

    /// `1 connection`, `2 connections`.
    static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }
}
