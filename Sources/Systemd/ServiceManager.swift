private import Glibc
private import Sockets

/// A client of the service manager's notification protocol (sd_notify(3)). It does nothing if there is no service manager.
package struct ServiceManager: Sendable {
    /// How long a send may block while the manager is busy. The manager would not learn a lost message again.
    private static let timeout: Duration = .seconds(3)

    private let socket: String?
    /// The interval in which the manager must hear from this process; otherwise it ends the process (sd_watchdog_enabled(3)).
    /// nil if the watchdog is off.
    package let watchdog: Duration?

    /// A client of the manager at this socket; nil for no manager.
    package init(socket: String?, watchdog: Duration?) {
        self.socket = socket
        self.watchdog = watchdog
    }

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, and removes them, so that child processes do not report for
    /// this process.
    package init() {
        func take(_ name: String) -> String? {
            // SAFETY: the text is copied before the environment changes.
            defer { unsafe unsetenv(name) }
            return unsafe getenv(name).map { unsafe String(cString: $0) }
        }
        let watched = take("WATCHDOG_PID")
        let period = take("WATCHDOG_USEC").flatMap { Int64($0) }
        socket = take("NOTIFY_SOCKET")
        let isMeant = watched == nil || watched == "\(getpid())"
        watchdog = isMeant ? period.flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
    }

    /// Whether there is a service manager.
    package var isPresent: Bool { socket != nil }

    /// Reports that the service is ready, or ready again after ``reloading(status:)``.
    ///
    /// - Parameter error: an errno, or 0 for none, which systemd shows as `StatusErrno`; nil does not change it.
    package func ready(status: String, error: Int32? = nil) {
        send([("READY", "1"), ("STATUS", status)] + (error.map { [("ERRNO", "\($0)")] } ?? []))
    }

    /// Reports what the service does now, for people.
    package func status(_ status: String) {
        send([("STATUS", status)])
    }

    /// Reports that the service reads its configuration again. The message contains the monotonic time, by which the manager
    /// recognizes an old message. Without the time, `systemctl reload` of a `Type=notify-reload` service waits until its
    /// timeout.
    package func reloading(status: String) {
        var now = timespec()
        // SAFETY: the system fills one structure.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
        send([("RELOADING", "1"), ("MONOTONIC_USEC", "\(microseconds)"), ("STATUS", status)])
    }

    /// Reports that the service stops.
    package func stopping(status: String) {
        send([("STOPPING", "1"), ("STATUS", status)])
    }

    /// Extends the timeout of the current start, stop or reload to this duration from now.
    package func extendTimeout(by duration: Duration) {
        send([("EXTEND_TIMEOUT_USEC", "\(Int(duration / .microseconds(1)))")])
    }

    /// Reports that the service works; see ``watchdog``.
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
