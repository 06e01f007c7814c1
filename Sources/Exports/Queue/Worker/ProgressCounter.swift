private import Synchronization

/// How far a run has come; written by the run and read by the heartbeat.
package final class ProgressCounter: Sendable {
    private let state = Mutex((rowsDone: 0, rowsTotal: Int?.none))
    private let observe: @Sendable (Step) -> Void

    /// - Parameter observe: told of each step once it is reached, before the run goes on.
    package init(observe: @escaping @Sendable (Step) -> Void = { _ in }) {
        self.observe = observe
    }

    package func begin(total: Int) {
        state.withLock { $0 = (0, total) }
    }

    package func advance(to rows: Int) {
        let (before, total) = state.withLock { state in
            defer { state.rowsDone = rows }
            return (state.rowsDone, state.rowsTotal ?? 0)
        }
        if before == 0, rows > 0 { observe(.firstRow) }
        if before < total / 2, rows >= total / 2 { observe(.midFile) }
    }

    package var current: (rowsDone: Int, rowsTotal: Int?) {
        state.withLock { $0 }
    }
}

/// The steps of an attempt between which a worker may die, so that tests can have it die there.
package enum Step: String, Sendable, CaseIterable {
    /// The claim is committed.
    case claimed
    /// Rows are in the file.
    case firstRow = "first-row"
    case midFile = "mid-file"
    /// All is written and nothing is durable.
    case sync
    /// The file is durable, under the name of a partial one.
    case rename
    /// The file is in its place and the row does not name it.
    case beforePublish = "before-publish"
    /// The row names it and the worker has not gone on.
    case afterPublish = "after-publish"
}
