internal import ServiceLifecycle
private import Synchronization

/// Wakes one task that sleeps. Rung while nobody sleeps, it ends the next sleep at once; rung twice, it counts once.
package final class WakeSignal: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isSignalled = false
        var waiter: CheckedContinuation<Bool, Never>?
    }

    package init() {}

    package func signal() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.isSignalled = true }
            return state.waiter
        }
        waiter?.resume(returning: true)
    }

    /// Sleeps until it is rung, at most for the time; not past a graceful shutdown or the task's cancellation.
    ///
    /// For one task at a time.
    ///
    /// - Returns: whether it was rung.
    @discardableResult
    package func wait(for time: Duration) async -> Bool {
        await cancelWhenGracefulShutdown {
            let timer = Task {
                try await Task.sleep(for: time)
                self.wake()
            }
            defer { timer.cancel() }
            return await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isSignalled: Bool? = self.state.withLock { state in
                        defer { state.isSignalled = false }
                        if state.isSignalled { return true }
                        if Task.isCancelled { return false }
                        precondition(state.waiter == nil, "one waiter at a time")
                        state.waiter = continuation
                        return nil
                    }
                    if let isSignalled { continuation.resume(returning: isSignalled) }
                }
            } onCancel: {
                self.wake()
            }
        }
    }

    /// Ends a sleep without a mark for the next.
    private func wake() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: false)
    }
}
