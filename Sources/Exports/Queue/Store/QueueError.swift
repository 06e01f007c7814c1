/// What the queue refuses.
package enum QueueError: Error, Equatable, Sendable {
    /// There is no such job for this actor.
    case notFound
    /// The idempotency key stands for a job with other parameters.
    case conflict
    /// The tenant has as many jobs in the queue as it may.
    ///
    /// - Parameter retryAfter: when there may be room.
    case quotaExceeded(limit: Int, retryAfter: Duration)
    /// Others start jobs of the tenant, and none of them came to an end in time.
    case busy
    /// The job is not in a state for this.
    case notReady(JobState)
    /// A legal hold keeps the file.
    case held
    /// There is no such worker, or it has stopped.
    case noWorker
}
