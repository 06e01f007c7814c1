/// What a worker does with a job. The queue knows no more of it than this.
package protocol JobRunner: Sendable {
    /// Whether a job that is claimed now can be done, asked before each claim: a worker that sees the wrong disk, or a full
    /// one, must not take one.
    func checkReadiness() async throws

    /// How it stands with the disk: `ok`, `full`, `failed` or `wrong-store`, as the last look or attempt showed.
    func storage() async -> String

    /// Does the job and leaves its result where the job's id and epoch say. Must stop soon when its task is cancelled, write
    /// nothing once the lease is over, and leave nothing behind when it throws.
    func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult

    /// Removes the result of a run that came too late to count.
    func discard(_ job: ClaimedJob) async

    /// Puts an error of ``run(_:progress:lease:)`` into words.
    func failure(for error: any Error) -> JobFailure
}
