private import Glibc
private import Sockets

/// Talks to the service manager by sd_notify(3)'s protocol; does nothing where there is none.
package struct ServiceManager: Sendable {
    private let socket: String?

    /// Reads `NOTIFY_SOCKET` and removes it, so that children do not speak for this process.
    package init() {
        socket = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        unsetenv("NOTIFY_SOCKET")
    }

    /// The service is up.
    package func ready(status: String) {
        send("READY=1\nSTATUS=\(status)")
    }

    /// The service is going down.
    package func stopping() {
        send("STOPPING=1\nSTATUS=Stopping")
    }

    private func send(_ text: String) {
        if let socket { Datagram.send(text, to: socket) }
    }
}
