private import Synchronization

/// What a worker does with a job. The queue knows no more of it than this.
package protocol JobRunner: Sendable {
    /// Whether jobs can be run now, asked before each claim: a worker that sees the wrong disk must not take one.
    func checkReadiness() async throws

    /// Does the job and leaves its result where the job's id and epoch say. Must stop soon when its task is cancelled, and
    /// leave nothing behind when it throws.
    func run(_ job: ClaimedJob, progress: Progress) async throws -> JobResult

    /// Removes the result of a run that came too late to count.
    func discard(_ job: ClaimedJob) async

    /// Puts an error of ``run(_:progress:)`` into words.
    func failure(for error: any Error) -> JobFailure
}

/// How far a run has come; written by the run and read by the heartbeat.
package final class Progress: Sendable {
    private let state = Mutex((rowsDone: 0, rowsTotal: Int?.none))

    package init() {}

    package func begin(total: Int) {
        state.withLock { $0 = (0, total) }
    }

    package func advance(to rows: Int) {
        state.withLock { $0.rowsDone = rows }
    }

    package var current: (rowsDone: Int, rowsTotal: Int?) {
        state.withLock { $0 }
    }
}
