internal import ServiceLifecycle
private import Synchronization

/// Wakes one task that sleeps. Rung while nobody sleeps, it ends the next sleep at once; rung twice, it counts once.
package final class Bell: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRung = false
        var sleeper: CheckedContinuation<Bool, Never>?
    }

    package init() {}

    package func ring() {
        let sleeper = state.withLock { state in
            defer { state.sleeper = nil }
            if state.sleeper == nil { state.isRung = true }
            return state.sleeper
        }
        sleeper?.resume(returning: true)
    }

    /// Sleeps until it is rung, at most for the time; not past a graceful shutdown or the task's cancellation.
    ///
    /// For one task at a time.
    ///
    /// - Returns: whether it was rung.
    @discardableResult
    package func sleep(for time: Duration) async -> Bool {
        await cancelWhenGracefulShutdown {
            let timer = Task {
                try await Task.sleep(for: time)
                self.wake()
            }
            defer { timer.cancel() }
            return await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isRung: Bool? = self.state.withLock { state in
                        defer { state.isRung = false }
                        if state.isRung { return true }
                        if Task.isCancelled { return false }
                        precondition(state.sleeper == nil, "one sleeper at a time")
                        state.sleeper = continuation
                        return nil
                    }
                    if let isRung { continuation.resume(returning: isRung) }
                }
            } onCancel: {
                self.wake()
            }
        }
    }

    /// Ends a sleep without a mark for the next.
    private func wake() {
        let sleeper = state.withLock { state in
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume(returning: false)
    }
}
