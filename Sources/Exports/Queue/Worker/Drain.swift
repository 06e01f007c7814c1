private import Synchronization

/// How long a worker that is told to stop lets run what it runs.
package final class Drain: Sendable {
    private static let pollInterval: Duration = .milliseconds(50)

    private let budget: Duration
    private let isOver = Atomic(false)
    private let began = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter budget: after which jobs are handed back to the queue. What is nearly done is sooner finished than begun anew.
    package init(budget: Duration) {
        self.budget = budget
    }

    /// Has jobs handed back now.
    package func force() {
        isOver.store(true, ordering: .releasing)
    }

    private func begin() -> ContinuousClock.Instant {
        began.withLock { began in
            let since = began ?? .now
            began = since
            return since
        }
    }

    /// When the budget, and some time more, is used up; nil before anybody was told to stop.
    func end(and extra: Duration) -> ContinuousClock.Instant? {
        began.withLock { $0 }.map { $0 + budget + extra }
    }

    /// Waits until the budget is used up, or somebody is in a force.
    func wait() async throws {
        let end = begin() + budget
        while !isOver.load(ordering: .acquiring), ContinuousClock.now < end {
            try await Task.sleep(for: min(Self.pollInterval, ContinuousClock.now.duration(to: end)))
        }
    }
}
