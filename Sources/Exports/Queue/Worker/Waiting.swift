internal import ServiceLifecycle
private import Synchronization

/// Wakes one waiting task. A signal without a waiting task ends the next wait at once; several such signals count as one.
package final class WakeSignal: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isSignalled = false
        var waiter: CheckedContinuation<Bool, Never>?
    }

    /// A signal that nobody waits for yet.
    package init() {}

    /// Wakes the waiting task, or ends the next wait at once.
    package func signal() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.isSignalled = true }
            return state.waiter
        }
        waiter?.resume(returning: true)
    }

    /// Waits for a signal, at most for the given time. Ends early on a graceful shutdown and when the task is cancelled.
    ///
    /// Only one task may wait at a time.
    ///
    /// - Returns: whether there was a signal.
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
                        precondition(state.waiter == nil, "only one task may wait")
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

    /// Ends a wait without a signal.
    private func wake() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: false)
    }
}

/// Delays that grow exponentially, with jitter, so that many processes do not retry at the same time.
package struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    private var attempt = 0

    /// Delays that begin at `first` and do not exceed `cap`.
    package init(first: Duration = .milliseconds(250), cap: Duration) {
        self.first = first
        self.cap = cap
    }

    /// The next delay: random, up to a limit that doubles with each call and ends at the cap.
    package mutating func next() -> Duration {
        let limit = min(cap, first * (1 << min(attempt, 16)))
        attempt += 1
        return limit * Double.random(in: 0.1...1)
    }

    /// Makes the next delay a first one again, after a success.
    package mutating func reset() {
        attempt = 0
    }

    /// The delay before a job is tried again after its attempt of this number, which starts at 1.
    package static func delay(beforeAttempt attempt: Int, first: Duration, cap: Duration) -> Duration {
        min(cap, first * (1 << min(max(attempt - 1, 0), 16))) * Double.random(in: 0...1)
    }
}

/// How long a worker that has claimed nothing waits for a signal before it polls again.
enum PollInterval {
    /// The maximum; a range, so that workers do not poll at the same time.
    static let max: ClosedRange<Duration> = .milliseconds(4_950)...(.milliseconds(5_350))
    /// After a claim that found the row locked. Statements hold such a lock only briefly.
    private static let contended: Duration = .milliseconds(20)
    private static let swept: Duration = .milliseconds(250)
    /// While another worker runs a job.
    private static let watching: Duration = .seconds(1)
    /// Added to the database's times, because its clock and the timers here round.
    private static let margin: Duration = .milliseconds(5)

    /// The time until the next poll.
    ///
    /// - Parameters:
    ///   - mayClaim: whether the worker has room. Without room, a job to claim is no reason to poll.
    ///   - misses: how many claims in a row found a job and did not get it. The interval grows with it.
    ///   - jitter: from 0 to 1.
    static func next(after snapshot: QueueSnapshot, mayClaim: Bool, misses: Int = 0, jitter: Double) -> Duration {
        let min = snapshot.isSweepDue ? swept : margin
        if mayClaim, snapshot.isClaimable {
            // Another worker is claiming it.
            return Swift.max(min, Swift.min(contended * (1 << Swift.min(misses, 6)), .seconds(1)) * (0.5 + jitter))
        }
        var length = max.lowerBound + (max.upperBound - max.lowerBound) * jitter
        if let lease = snapshot.untilLeaseEnds { length = Swift.min(length, lease + margin, watching) }
        if mayClaim, let retry = snapshot.untilRetry { length = Swift.min(length, retry + margin) }
        // A sweep that is still due after a sweep was locked or failed.
        return Swift.max(length, min)
    }
}
