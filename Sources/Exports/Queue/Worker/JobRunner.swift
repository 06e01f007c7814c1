private import Synchronization

/// What a worker does with a job. The queue knows nothing else about exports.
package protocol JobRunner: Sendable {
    /// Whether a job that is claimed now can run. With a wrong or full disk the worker must not claim. Its loop asks in each
    /// turn; joined claims rely on the answer for at most ten seconds.
    func checkReadiness() async throws

    /// The state of the disk at the last check or attempt: `ok`, `full`, `failed` or `wrong-store`.
    func storage() async -> String

    /// Runs the job and stores its result under the job's id and epoch. It must end soon after its task is cancelled, write
    /// nothing once the lease has expired, and leave nothing behind when it throws.
    func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult

    /// Removes the result of a run that was not published.
    func discard(_ job: ClaimedJob) async

    /// Describes an error of ``run(_:progress:lease:)``.
    func failure(for error: any Error) -> JobFailure
}

/// The progress of a run. The run writes it and the heartbeat reads it.
package final class ProgressCounter: Sendable {
    private let state = Mutex((rowsDone: 0, rowsTotal: Int?.none))
    private let observe: @Sendable (Step) -> Void

    /// - Parameter observe: called at each step, before the run goes on.
    package init(observe: @escaping @Sendable (Step) -> Void = { _ in }) {
        self.observe = observe
    }

    /// Sets the total, and the rows done to 0.
    ///
    /// - Parameter total: rows of the export.
    package func begin(total: Int) {
        state.withLock { $0 = (0, total) }
    }

    /// Sets the number of rows that have been written.
    package func advance(to rows: Int) {
        let (before, total) = state.withLock { state in
            defer { state.rowsDone = rows }
            return (state.rowsDone, state.rowsTotal ?? 0)
        }
        if before == 0, rows > 0 { observe(.firstRow) }
        if before < total / 2, rows >= total / 2 { observe(.midFile) }
    }

    /// Rows that have been written, and rows of the export; nil until they are counted.
    package var current: (rowsDone: Int, rowsTotal: Int?) {
        state.withLock { $0 }
    }
}

/// The steps of an attempt, at which tests stop or kill a worker.
package enum Step: String, Sendable, CaseIterable {
    /// The claim is committed.
    case claimed
    /// The file has rows.
    case firstRow = "first-row"
    /// Half of the rows are written.
    case midFile = "mid-file"
    /// Everything is written, but nothing is durable.
    case sync
    /// The file is durable, under a temporary name.
    case rename
    /// The file has its final name, and the row does not name it yet.
    case beforePublish = "before-publish"
    /// The row names the file.
    case afterPublish = "after-publish"
}

/// The worker's own view of its lease.
///
/// It uses the clock that counts while the machine is suspended (`CLOCK_BOOTTIME`, Linux's `ContinuousClock`), and counts from
/// before the claim or renewal was sent. So it never ends later than the database's lease: not after a suspension, a stopped
/// process, a slow answer or a change of the wall clock.
package final class LeaseClock: Sendable {
    private let end: Mutex<ContinuousClock.Instant>

    /// A lease that ends at this time.
    package init(until end: ContinuousClock.Instant) {
        self.end = Mutex(end)
    }

    /// Extends the lease. An end before the current one has no effect.
    func renew(until end: ContinuousClock.Instant) {
        self.end.withLock { $0 = max($0, end) }
    }

    var until: ContinuousClock.Instant { end.withLock { $0 } }

    /// Whether the lease has ended.
    package var isOver: Bool { ContinuousClock.now >= until }

    /// Throws once the run must not write any more.
    ///
    /// - Throws: ``LeaseOver``
    package func check() throws(LeaseOver) {
        if isOver { throw LeaseOver() }
    }
}

/// The worker's lease has ended. What the worker does after that no longer counts.
package struct LeaseOver: Error, Sendable {
    /// The error has no details.
    package init() {}
}
