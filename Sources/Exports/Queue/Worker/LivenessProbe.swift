private import Synchronization

/// When something that goes round and round was last seen to do so.
package final class LivenessProbe: Sendable {
    private let last = Mutex(ContinuousClock.now)

    package init() {}

    func reportProgress() {
        last.withLock { $0 = .now }
    }

    /// How long ago that was.
    package var age: Duration { last.withLock { $0.duration(to: .now) } }
}
