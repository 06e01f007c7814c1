import Testing

@testable import Exports

@Suite(.timeLimit(.minutes(1))) struct WaitTests {
    @Test("Waits grow to the cap and are spread")
    func backoff() {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        for attempt in 0..<100 {
            let wait = backoff.next()
            #expect(wait > .zero && wait <= .seconds(5))
            if attempt == 0 { #expect(wait <= .milliseconds(100)) }
        }
    }

    @Test("The wait before a job's next attempt is anything up to a limit that doubles, and never over the cap")
    func delay() {
        for attempt in 1...70 {
            let limit = min(Duration.seconds(30), Duration.seconds(1) * (1 << min(attempt - 1, 16)))
            for _ in 0..<20 {
                let delay = Backoff.delay(beforeAttempt: attempt, first: .seconds(1), cap: .seconds(30))
                #expect(delay >= .zero && delay <= limit)
            }
        }
    }

    private func outlook(
        claimable: Bool = false, lease: Duration? = nil, retry: Duration? = nil
    ) -> LeaseStore.Outlook {
        LeaseStore.Outlook(
            isClaimable: claimable, untilLeaseEnds: lease, untilRetry: retry, isCareDue: false, isSweepDue: false,
            isDraining: false)
    }

    @Test("An idle worker sleeps some five seconds at most, and no longer than to the first lease's end or the next retry")
    func naps() {
        func length(_ outlook: LeaseStore.Outlook, mayClaim: Bool = true, jitter: Double = 1) -> Duration {
            Nap.length(after: outlook, mayClaim: mayClaim, jitter: jitter)
        }
        #expect(length(outlook()) == .milliseconds(5_350) && length(outlook(), jitter: 0) == .milliseconds(4_950))
        #expect(length(outlook(lease: .seconds(2), retry: .seconds(3))) == .milliseconds(2_005))
        #expect(length(outlook(lease: .seconds(12), retry: .seconds(1))) == .milliseconds(1_005))
        // Without room a retry is nothing to wake for, and neither is a job that others may claim.
        #expect(length(outlook(claimable: true, retry: .seconds(1)), mayClaim: false) == .milliseconds(5_350))
        #expect(length(outlook(claimable: true)) <= .milliseconds(30))
        // Who holds a row for long is asked for it once a second or so, not fifty times.
        #expect(Nap.length(after: outlook(claimable: true), mayClaim: true, misses: 9, jitter: 0) == .milliseconds(500))
        // A lease that was over before it was looked at does not make a busy loop.
        #expect(length(outlook(lease: .seconds(-3))) > .zero)
    }

    @Test("A bell ends one sleep, or the next if nobody sleeps; time ends it too")
    func bell() async {
        let bell = Bell()
        bell.ring()
        bell.ring()
        #expect(await bell.sleep(for: .seconds(30)))
        #expect(await !bell.sleep(for: .milliseconds(5)))
        async let sleeper = bell.sleep(for: .seconds(30))
        bell.ring()
        #expect(await sleeper)
    }

    @Test("A cancelled task does not sleep")
    func cancelledSleep() async {
        let bell = Bell()
        let task = Task { await bell.sleep(for: .seconds(30)) }
        task.cancel()
        #expect(await !task.value)
    }

    @Test("A lease's end is counted on the clock that goes on while the machine sleeps, and never moves back")
    func leaseClock() {
        let clock = LeaseClock(until: .now + .seconds(60))
        #expect(!clock.isOver)
        let end = clock.until
        clock.renew(until: .now)
        #expect(clock.until == end)
        #expect(throws: LeaseOver.self) { try LeaseClock(until: .now).check() }
    }
}
