/// Lets a line through once in a while, and counts those that it keeps back. A pure value.
struct LogThrottle {
    private static let interval: Duration = .seconds(1)

    private var last: ContinuousClock.Instant?
    private var missed = 0

    /// - Returns: how many were kept back before this one; nil where this one is.
    mutating func admit(at now: ContinuousClock.Instant) -> Int? {
        if let last, last.duration(to: now) < Self.interval {
            missed += 1
            return nil
        }
        defer { missed = 0 }
        last = now
        return missed
    }
}
