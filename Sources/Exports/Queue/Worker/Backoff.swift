/// Waiting times that grow and are spread at random (full jitter), so that many who wait do not come back as one.
package struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    private var attempt = 0

    package init(first: Duration = .milliseconds(250), cap: Duration) {
        self.first = first
        self.cap = cap
    }

    /// The next wait: anything up to twice the limit of the one before, and up to the cap.
    package mutating func next() -> Duration {
        let limit = min(cap, first * (1 << min(attempt, 16)))
        attempt += 1
        return limit * Double.random(in: 0.1...1)
    }

    package mutating func reset() {
        attempt = 0
    }

    /// The wait before a job's attempt of this number, 1 for the first repetition.
    package static func delay(beforeAttempt attempt: Int, first: Duration, cap: Duration) -> Duration {
        min(cap, first * (1 << min(max(attempt - 1, 0), 16))) * Double.random(in: 0...1)
    }
}
