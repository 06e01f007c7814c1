/// The states of a job and the ways between them.
///
/// A pure value: what happens is an event, and the answer is the next state or nothing. The store's statements carry the
/// same guards in their WHERE clauses, so that the database refuses what this refuses.
package enum JobState: String, Sendable, CaseIterable {
    case queued
    case running
    case succeeded
    case failed
    case cancelled
    case expired

    /// Nothing but time and deletion changes it any more.
    package var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .succeeded, .failed, .cancelled, .expired: true
        }
    }

    package enum Event: Sendable, CaseIterable {
        /// A worker takes the job.
        case claimed
        /// A worker that stops gives it back; the attempt does not count.
        case handedBack
        /// The attempt failed for a reason that may pass.
        case retried
        /// The worker's lease ran out and the job may be tried again.
        case rescued
        /// The worker's lease ran out too often.
        case crashed
        case completed
        /// The attempt failed for good.
        case failed
        /// A cancellation takes effect: at once in the queue, by the worker where it runs.
        case cancelled
        /// The file's time is up, or its owner deleted it.
        case expired
    }

    /// The state after the event, or nil where the event is not possible.
    package func after(_ event: Event) -> JobState? {
        switch (self, event) {
        case (.queued, .claimed): .running
        case (.queued, .cancelled), (.running, .cancelled): .cancelled
        case (.queued, .failed), (.running, .failed), (.running, .crashed): .failed
        case (.running, .handedBack), (.running, .retried), (.running, .rescued): .queued
        case (.running, .completed): .succeeded
        case (.succeeded, .expired): .expired
        default: nil
        }
    }
}
