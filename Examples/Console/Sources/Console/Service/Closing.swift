import Synchronization

/// Runs a closure once, when it is closed or released. It releases resources of a response whose body the server never requests.
final class Closing: Sendable {
    private let body: Mutex<(@Sendable () -> Void)?>

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = Mutex(body)
    }

    func close() {
        body.withLock { body in
            defer { body = nil }
            return body
        }?()
    }

    deinit {
        close()
    }
}
