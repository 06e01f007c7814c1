private import Glibc
private import Sockets

/// Talks to the service manager by sd_notify(3)'s protocol; does nothing where there is none.
package struct ServiceManager: Sendable {
    /// For a manager that is busy: what it misses it would not learn again.
    private static let timeout: Duration = .seconds(3)

    private let socket: String?
    /// How often the manager has to hear from this process, or it ends it (sd_watchdog_enabled(3)). nil where it does not watch.
    package let watchdog: Duration?

    package init(socket: String?, watchdog: Duration?) {
        self.socket = socket
        self.watchdog = watchdog
    }

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, and removes them, so that children do not speak for this
    /// process.
    package init() {
        func take(_ name: String) -> String? {
            defer { unsetenv(name) }
            return getenv(name).map { String(cString: $0) }
        }
        let watched = take("WATCHDOG_PID")
        let period = take("WATCHDOG_USEC").flatMap { Int64($0) }
        socket = take("NOTIFY_SOCKET")
        let isMeant = watched == nil || watched == "\(getpid())"
        watchdog = isMeant ? period.flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
    }

    /// Whether anybody listens.
    package var isPresent: Bool { socket != nil }

    /// The service is up, or up again after ``reloading(status:)``.
    ///
    /// - Parameter error: an errno, or 0 for none: systemd shows it as `StatusErrno`. nil keeps what it shows.
    package func ready(status: String, error: Int32? = nil) {
        send([("READY", "1"), ("STATUS", status)] + (error.map { [("ERRNO", "\($0)")] } ?? []))
    }

    /// What it does now, for people.
    package func status(_ status: String) {
        send([("STATUS", status)])
    }

    /// The service reads its configuration again. The manager tells this message from an older one by the time in it, without
    /// which `systemctl reload` of a `Type=notify-reload` waits until it gives up.
    package func reloading(status: String) {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
        send([("RELOADING", "1"), ("MONOTONIC_USEC", "\(microseconds)"), ("STATUS", status)])
    }

    /// The service is going down.
    package func stopping(status: String) {
        send([("STOPPING", "1"), ("STATUS", status)])
    }

    /// What is under way, a start, a stop or a reload, may take so much longer from now.
    package func extendTimeout(by duration: Duration) {
        send([("EXTEND_TIMEOUT_USEC", "\(Int(duration / .microseconds(1)))")])
    }

    /// The service works; see ``watchdog``.
    package func isAlive() {
        send([("WATCHDOG", "1")])
    }

    private func send(_ assignments: [(name: String, value: String)]) {
        guard let socket else { return }
        // A line end would begin another assignment.
        let lines = assignments.map { "\($0.name)=\($0.value.split(whereSeparator: \.isNewline).joined(separator: "; "))" }
        Datagram.send(Array(lines.joined(separator: "\n").utf8), to: socket, timeout: Self.timeout)
    }
}
