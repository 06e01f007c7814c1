/// How long a worker that has claimed nothing sleeps, unless it is rung awake.
enum Nap {
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
    static func length(after outlook: LeaseStore.Outlook, mayClaim: Bool, misses: Int = 0, jitter: Double) -> Duration {
        // It could be claimed and was not: somebody else is at it.
        let least = outlook.isSweepDue ? swept : margin
        if mayClaim, outlook.isClaimable {
            return max(least, min(contended * (1 << min(misses, 6)), .seconds(1)) * (0.5 + jitter))
        }
        var length = longest.lowerBound + (longest.upperBound - longest.lowerBound) * jitter
        if let lease = outlook.untilLeaseEnds { length = min(length, lease + margin) }
        if mayClaim, let retry = outlook.untilRetry { length = min(length, retry + margin) }
        // What is due to be swept and was not is in somebody's hands, or failed.
        return max(length, least)
    }
}
