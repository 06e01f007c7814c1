private import Synchronization

/// The counters of a worker since its start. They only grow. The worker's row stores them. When the row is deleted, they are
/// added to a total, so the sum over all workers never falls.
package final class WorkerCounters: Sendable {
    private let state = Mutex(State())

    private struct State {
        var counts: [String: Int] = [:]
        /// Each count raises it.
        var changes = 0
        var shownChanges = 0
        /// The counters that the row stores, with those in ``base``.
        var shown: [String: Int] = [:]
        /// The counters that were added to the total when the row was deleted.
        var base: [String: Int] = [:]
    }

    /// The counters. The raw values are the keys in the worker's row.
    package enum Name: String, Sendable, CaseIterable {
        /// Attempts by their end, and jobs that a sweep of this worker ended with the same state.
        case succeeded, failed, cancelled
        /// Attempts that the worker handed back because it stops.
        case handedBack = "handed-back"
        /// Attempts that ended because the worker lost its lease, and attempts that will be repeated after a transient error.
        case returned, retried
        /// Writes that changed nothing because the job no longer belonged to the worker. A write that is repeated after a lost
        /// answer counts, too.
        case rejected
        /// Jobs taken from workers whose lease had expired.
        case rescuedLeaseOver = "rescued.lease-over"
        /// Jobs taken from workers whose session had ended.
        case rescuedSessionOver = "rescued.session-over"
        /// Jobs that ran without a lease.
        case rescuedLeaseMissing = "rescued.lease-missing"
        /// Jobs whose deadline had passed.
        case rescuedOverdue = "rescued.overdue"
        /// Administrators in finished workbooks, and bytes of these workbooks.
        case rows, bytes
        /// Connections to the database that the process has opened.
        case connectionsOpened = "connections.opened"
        /// Connections to the database that the process has lost.
        case connectionsLost = "connections.lost"
        /// Failed attempts to connect to the database.
        case connectionsFailed = "connections.failed"
    }

    /// The histograms. The raw values are the beginnings of the keys in the worker's row.
    package enum Histogram: String, Sendable, CaseIterable {
        /// The time from when a job could be claimed until it was.
        case wait
        /// The duration of an attempt that succeeded.
        case run

        /// Upper bounds of the buckets, in milliseconds.
        package static let bounds = [
            5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000,
        ]

        /// The key of the count up to the bound and above the previous bound; nil for the count above all bounds.
        package func bucket(_ bound: Int?) -> String { "\(rawValue).le.\(bound.map(String.init) ?? "inf")" }

        /// The key of the sum, in milliseconds.
        package var sum: String { "\(rawValue).sum" }
    }

    /// Counters that are all 0.
    package init() {}

    func count(_ name: Name, by amount: Int = 1) {
        state.withLock { state in
            state.counts[name.rawValue, default: 0] += amount
            state.changes += 1
        }
    }

    func observe(_ histogram: Histogram, _ duration: Duration) {
        let milliseconds = max(0, Int(duration / .milliseconds(1)))
        let bucket = histogram.bucket(Histogram.bounds.first { milliseconds <= $0 })
        state.withLock { state in
            state.counts[bucket, default: 0] += 1
            state.counts[histogram.sum, default: 0] += milliseconds
            state.changes += 1
        }
    }

    /// The value of a counter since the start of the worker.
    package subscript(_ name: Name) -> Int { state.withLock { $0.counts[name.rawValue] ?? 0 } }

    /// The counters for the row, as a JSON object of integers; and the argument of ``wasShown(_:)`` once the row has them.
    ///
    /// - Parameter others: further counters.
    func row(with others: [Name: Int]) -> (json: String, shown: Shown) {
        var (all, base, changes) = state.withLock { ($0.counts, $0.base, $0.changes) }
        for (name, value) in others { all[name.rawValue] = value }
        // The names need no escapes.
        let pairs = all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value - (base[$0.key] ?? 0))" }
        return ("{" + pairs.joined(separator: ",") + "}", Shown(counts: all, changes: changes))
    }

    /// The row stores these counters now.
    func wasShown(_ shown: Shown) {
        state.withLock { state in
            state.shown = shown.counts
            state.shownChanges = shown.changes
        }
    }

    struct Shown: Sendable {
        fileprivate var counts: [String: Int] = [:]
        fileprivate var changes = 0
    }

    /// Whether the row lacks recent counts.
    var hasNews: Bool { state.withLock { $0.changes != $0.shownChanges } }

    /// The row is new and has no counters yet. If there was one before, it was deleted as a dead worker's, and its counters are
    /// in the total.
    func restart() {
        state.withLock { $0.base = $0.shown }
    }
}
