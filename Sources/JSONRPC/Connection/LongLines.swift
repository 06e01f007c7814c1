private import Dispatch

/// Scans long lines one after the other, on a thread of its own.
///
/// A caller with many connections can send long lines on all of them at once. On the threads that serve everybody each would
/// hold one up for as long as a scan takes; here they wait for each other, and those threads stay free for short requests.
actor LongLines {
    static let shared = LongLines()

    private let queue = Queue()
    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    func scan(_ line: [UInt8], depth: Int) throws(JSONFault) -> JSONDocument {
        try JSONDocument(scanning: line, depth: depth)
    }

    private final class Queue: SerialExecutor {
        private let queue = DispatchQueue(label: "long-lines")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
        }
    }
}
