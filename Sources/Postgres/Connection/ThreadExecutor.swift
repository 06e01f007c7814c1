private import Dispatch

/// A serial executor for work that blocks, such as calls of libpq. It runs on a thread of Dispatch and blocks no thread of
/// Swift's task pool.
package final class ThreadExecutor: SerialExecutor {
    private let queue: DispatchQueue

    /// An executor; the label is the name of its Dispatch queue.
    package init(label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Runs the job after those that were enqueued before.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // SAFETY: the closure keeps this executor until the job has run, and runs it once.
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Ends the process if the caller does not run on this executor.
    package func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
