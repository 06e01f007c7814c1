import Synchronization

/// Does something once: when it is closed, or else when nobody has it any more. A response's body may never be asked for.
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
