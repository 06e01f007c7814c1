private import Synchronization

/// What a worker has done since it started: counters that only grow. Its row shows them, and they are added to a total when the
/// row goes, so that the sum over all never falls.
package final class WorkerCounters: Sendable {
    private let state = Mutex(State())

    private struct State {
        var counts: [String: Int] = [:]
        /// Rises with each count.
        var changes = 0
        var shownChanges = 0
        /// What the row shows, in all.
        var shown: [String: Int] = [:]
        /// What was added to the total when the row was taken for a dead worker's.
        var base: [String: Int] = [:]
    }

    package enum Name: String, Sendable, CaseIterable {
        case succeeded, failed, cancelled
        case handedBack = "handed-back"
        case returned, retried
        /// Writes that the fence has refused: the job was not the worker's any more. One whose answer got lost and which was
        /// repeated counts too.
        case rejected
        case rescuedLeaseOver = "rescued.lease-over"
        case rescuedLeaseMissing = "rescued.lease-missing"
        case rescuedOverdue = "rescued.overdue"
        /// Of finished workbooks.
        case rows, bytes
        case connectionsOpened = "connections.opened"
        case connectionsLost = "connections.lost"
        /// Attempts to connect that failed.
        case connectionsFailed = "connections.failed"
    }

    package enum Histogram: String, Sendable, CaseIterable {
        /// From when a job could be claimed until it was.
        case wait
        /// From the claim until the end of the attempt that succeeded.
        case run

        /// Upper bounds of the buckets, in milliseconds.
        package static let bounds = [
            5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000,
        ]

        /// The key of how many were observed up to the bound and above the one before; nil for those above all.
        package func bucket(_ bound: Int?) -> String { "\(rawValue).le.\(bound.map(String.init) ?? "inf")" }

        /// The key of the sum, in milliseconds.
        package var sum: String { "\(rawValue).sum" }
    }

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

    package subscript(_ name: Name) -> Int { state.withLock { $0.counts[name.rawValue] ?? 0 } }

    /// What the row is to show: a JSON object of whole numbers; and what it shows then in all, for ``wasShown(_:)``.
    ///
    /// - Parameter others: counters that are kept elsewhere.
    func row(with others: [Name: Int]) -> (json: String, shown: Shown) {
        var (all, base, changes) = state.withLock { ($0.counts, $0.base, $0.changes) }
        for (name, value) in others { all[name.rawValue] = value }
        // Names of this file, in which nothing needs an escape.
        let pairs = all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value - (base[$0.key] ?? 0))" }
        return ("{" + pairs.joined(separator: ",") + "}", Shown(counts: all, changes: changes))
    }

    /// The row shows this now.
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

    /// Whether something was counted that the row does not show.
    var hasNews: Bool { state.withLock { $0.changes != $0.shownChanges } }

    /// The row is a new one, and shows nothing yet. If there was one before, it was taken for a dead worker's, and what it showed
    /// is in the total.
    func restart() {
        state.withLock { $0.base = $0.shown }
    }
}
