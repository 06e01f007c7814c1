/// How long a worker that has claimed nothing sleeps, unless it is rung awake.
enum PollInterval {
    /// Between these two, so that workers that fell asleep together do not wake together.
    static let longest: ClosedRange<Duration> = .milliseconds(4_950)...(.milliseconds(5_350))
    /// Somebody else held the row that would have been claimed, for the length of a statement or two.
    private static let contended: Duration = .milliseconds(20)
    private static let swept: Duration = .milliseconds(250)
    /// Added to what the database says, for its clock and the timers here both round.
    private static let margin: Duration = .milliseconds(5)

    /// - Parameters:
    ///   - mayClaim: whether there is room for a job; without, a job to claim is no reason to wake.
    ///   - misses: how often in a row a job could be claimed and was not; a row that somebody holds for long is not asked for all
    ///     the time.
    ///   - jitter: from 0 to 1, so that workers that fell asleep together do not wake together.
    static func next(after snapshot: QueueSnapshot, mayClaim: Bool, misses: Int = 0, jitter: Double) -> Duration {
        // It could be claimed and was not: somebody else is at it.
        let least = snapshot.isSweepDue ? swept : margin
        if mayClaim, snapshot.isClaimable {
            return max(least, min(contended * (1 << min(misses, 6)), .seconds(1)) * (0.5 + jitter))
        }
        var length = longest.lowerBound + (longest.upperBound - longest.lowerBound) * jitter
        if let lease = snapshot.untilLeaseEnds { length = min(length, lease + margin) }
        if mayClaim, let retry = snapshot.untilRetry { length = min(length, retry + margin) }
        // What is due to be swept and was not is in somebody's hands, or failed.
        return max(length, least)
    }
}

/// What a worker that has claimed nothing finds.
struct QueueSnapshot: Sendable {
    /// A job could be claimed.
    let isClaimable: Bool
    /// Until the first lease is over, if its worker says nothing more; nil where no job runs. Negative where one is.
    let untilLeaseEnds: Duration?
    /// Until the next job that waits for another attempt may be claimed.
    let untilRetry: Duration?
    /// There are files whose time is up, or which have expired and are still there, or rows to forget.
    let isMaintenanceDue: Bool
    /// A worker has died or hangs: there is something to sweep.
    let isSweepDue: Bool
    let isDraining: Bool
    /// The worker's row was not there before it said that it is alive.
    var isNewRow = false
}
