private import Synchronization

/// How long a worker may believe that a job is its own.
///
/// Counted on this machine's clock since boot, which goes on while the machine sleeps (`CLOCK_BOOTTIME`, which is what
/// `ContinuousClock` is on Linux), from before the claim or the renewal was sent: neither suspension, nor a stopped process, nor
/// a slow answer, nor a step of the wall clock lengthens it. By then the database's lease may last a little longer, never
/// shorter.
package final class LeaseClock: Sendable {
    private let end: Mutex<ContinuousClock.Instant>

    package init(until end: ContinuousClock.Instant) {
        self.end = Mutex(end)
    }

    func renew(until end: ContinuousClock.Instant) {
        self.end.withLock { $0 = max($0, end) }
    }

    var until: ContinuousClock.Instant { end.withLock { $0 } }

    package var isOver: Bool { ContinuousClock.now >= until }

    /// Stops a run that must write no more.
    ///
    /// - Throws: ``LeaseOver``
    package func check() throws(LeaseOver) {
        if isOver { throw LeaseOver() }
    }
}

/// The worker's lease is over: what it does counts no more.
package struct LeaseOver: Error, Sendable {
    package init() {}
}
