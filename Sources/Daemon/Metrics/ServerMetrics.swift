internal import AdminExportAPI
private import Synchronization

/// What this process has done for callers since it started.
final class ServerMetrics: Sendable {
    /// Upper bounds of the buckets of how long requests take, in seconds.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    struct Figures: Sendable {
        /// By method and outcome: `ok`, or the kind of the error.
        var requests: [Request: Int] = [:]
        /// Of requests whose length their caller does not choose. One more than the bounds: the last for those above all.
        var durations = [Int](repeating: 0, count: ServerMetrics.bounds.count + 1)
        var seconds = 0.0
        /// That there are, and that were let in.
        var connections = 0
        var acceptedConnections = 0
        var refusedConnections = 0
        var stalledConnections = 0
        var openedWorkbooks = 0
        /// Given out through pipes and in parts; not of archives that were given out as they are.
        var sentBytes = 0
    }

    struct Request: Hashable, Sendable {
        let method: String
        let outcome: String
    }

    private let state = Mutex(Figures())

    var figures: Figures { state.withLock { $0 } }

    /// - Parameter duration: nil where the caller chooses how long it takes.
    func served(_ method: String, _ outcome: String, in duration: Duration?) {
        state.withLock { state in
            state.requests[Request(method: method, outcome: outcome), default: 0] += 1
            guard let duration else { return }
            let seconds = duration / .seconds(1)
            state.durations[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            state.seconds += seconds
        }
    }

    func connected() {
        state.withLock { state in
            state.connections += 1
            state.acceptedConnections += 1
        }
    }

    func disconnected() {
        state.withLock { $0.connections -= 1 }
    }

    func refusedConnection() {
        state.withLock { $0.refusedConnections += 1 }
    }

    func stalledConnection() {
        state.withLock { $0.stalledConnections += 1 }
    }

    func sent(_ bytes: Int) {
        state.withLock { $0.sentBytes += bytes }
    }

    func openedWorkbook() {
        state.withLock { $0.openedWorkbooks += 1 }
    }
}
