import NIOCore
import Synchronization

/// Closes a connection over which nothing has gone for a while: what waits to be written then fails.
final class Watchdog: Sendable {
    private let last = Mutex(ContinuousClock.now)
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ channel: any Channel, patience: Duration) {
        // Not a child of whoever writes: that one waits for the browser, and this is what ends the wait.
        let task = Task { [weak self] in
            while let last = self?.last.withLock({ $0 }), last.duration(to: .now) < patience {
                do { try await Task.sleep(until: last + patience) } catch { return }
            }
            channel.close(promise: nil)
        }
        self.task.withLock { $0 = task }
    }

    func progressed() {
        last.withLock { $0 = .now }
    }

    func stop() {
        task.withLock { $0 }?.cancel()
    }
}
