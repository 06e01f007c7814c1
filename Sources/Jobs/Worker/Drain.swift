private import Synchronization

/// How long a worker that is told to stop lets run what it runs.
package final class Drain: Sendable {
    private static let glance: Duration = .milliseconds(50)

    private let budget: Duration
    private let isOver = Atomic(false)

    /// - Parameter budget: after which jobs are handed back to the queue. What is nearly done is sooner finished than begun anew.
    package init(budget: Duration) {
        self.budget = budget
    }

    /// Has jobs handed back now.
    package func hurry() {
        isOver.store(true, ordering: .releasing)
    }

    /// Waits until the budget is used up, or somebody is in a hurry.
    func wait() async throws {
        let end = ContinuousClock.now + budget
        while !isOver.load(ordering: .acquiring), ContinuousClock.now < end {
            try await Task.sleep(for: min(Self.glance, ContinuousClock.now.duration(to: end)))
        }
    }
}
