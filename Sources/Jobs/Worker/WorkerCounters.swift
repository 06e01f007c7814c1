private import Synchronization

/// What a worker has done since it started: counters that only grow. Its row shows them, and they are added to a total when the
/// row goes, so that the sum over all never falls.
package final class WorkerCounters: Sendable {
    private let state = Mutex([String: Int]())

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
        state.withLock { $0[name.rawValue, default: 0] += amount }
    }

    func observe(_ histogram: Histogram, _ duration: Duration) {
        let milliseconds = max(0, Int(duration / .milliseconds(1)))
        let bucket = histogram.bucket(Histogram.bounds.first { milliseconds <= $0 })
        state.withLock { state in
            state[bucket, default: 0] += 1
            state[histogram.sum, default: 0] += milliseconds
        }
    }

    package subscript(_ name: Name) -> Int { state.withLock { $0[name.rawValue] ?? 0 } }

    /// A JSON object of whole numbers.
    ///
    /// - Parameter others: counters that are kept elsewhere.
    func json(with others: [Name: Int]) -> String {
        var all = state.withLock { $0 }
        for (name, value) in others { all[name.rawValue] = value }
        // Names of this file, in which nothing needs an escape.
        return "{" + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }
}
