import Testing

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct WaitTests {
    @Test("The limit of delays doubles up to the cap, and delays are spread below it")
    func backoff() {
        let (first, cap) = (Duration.milliseconds(100), Duration.seconds(5))
        var backoffs = Array(repeating: Backoff(first: first, cap: cap), count: 200)
        for attempt in 0..<20 {
            let limit = min(cap, first * (1 << attempt))
            let delays = backoffs.indices.map { backoffs[$0].next() }
            #expect(delays.allSatisfy { $0 > .zero && $0 <= limit })
            // Spread over the whole range.
            #expect(delays.contains { $0 < limit * 0.5 } && delays.contains { $0 > limit * 0.75 })
        }
    }

    @Test("The delay before an attempt is at most a limit that doubles up to the cap")
    func delay() {
        for attempt in 1...70 {
            let limit = min(Duration.seconds(30), Duration.seconds(1) * (1 << min(attempt - 1, 16)))
            for _ in 0..<20 {
                let delay = Backoff.delay(beforeAttempt: attempt, first: .seconds(1), cap: .seconds(30))
                #expect(delay >= .zero && delay <= limit)
            }
        }
    }

    private func snapshot(
        claimable: Bool = false, lease: Duration? = nil, retry: Duration? = nil
    ) -> QueueSnapshot {
        QueueSnapshot(
            isClaimable: claimable, untilLeaseEnds: lease, untilRetry: retry, isMaintenanceDue: false, isSweepDue: false,
            isDraining: false)
    }

    @Test(
        "An idle worker waits for about five seconds, or until the first lease ends or the next retry is due; a second while others run jobs"
    )
    func pollInterval() {
        func length(_ snapshot: QueueSnapshot, mayClaim: Bool = true, jitter: Double = 1) -> Duration {
            PollInterval.next(after: snapshot, mayClaim: mayClaim, jitter: jitter)
        }
        #expect(length(snapshot()) == .milliseconds(5_350) && length(snapshot(), jitter: 0) == .milliseconds(4_950))
        #expect(length(snapshot(retry: .seconds(3))) == .milliseconds(3_005))
        #expect(length(snapshot(lease: .milliseconds(600), retry: .seconds(3))) == .milliseconds(605))
        #expect(length(snapshot(lease: .seconds(12), retry: .milliseconds(700))) == .milliseconds(705))
        #expect(length(snapshot(lease: .seconds(12), retry: .seconds(3))) == .seconds(1))
        // A worker without a free slot does not wake up for a retry or for a job that others can claim.
        #expect(length(snapshot(claimable: true, retry: .seconds(1)), mayClaim: false) == .milliseconds(5_350))
        #expect(length(snapshot(claimable: true)) <= .milliseconds(30))
        // If another transaction holds a row for long, the worker polls about once a second, not fifty times.
        #expect(
            PollInterval.next(after: snapshot(claimable: true), mayClaim: true, misses: 9, jitter: 0) == .milliseconds(500))
        // A lease that has already expired does not cause a busy loop.
        #expect(length(snapshot(lease: .seconds(-3))) > .zero)
    }

    @Test("A signal ends one wait, or the next one if no task waits; the timeout ends a wait, too")
    func wakeSignal() async {
        let wakeSignal = WakeSignal()
        wakeSignal.signal()
        wakeSignal.signal()
        #expect(await wakeSignal.wait(for: .seconds(30)))
        #expect(await !wakeSignal.wait(for: .milliseconds(5)))
        async let waiter = wakeSignal.wait(for: .seconds(30))
        wakeSignal.signal()
        #expect(await waiter)
    }

    @Test("A cancelled task does not wait")
    func cancelledSleep() async {
        let wakeSignal = WakeSignal()
        let task = Task { await wakeSignal.wait(for: .seconds(30)) }
        task.cancel()
        #expect(await !task.value)
    }

    @Test("A lease never moves its end back, and an expired lease throws")
    func leaseClock() {
        let clock = LeaseClock(until: .now + .seconds(60))
        #expect(!clock.isOver)
        let end = clock.until
        clock.renew(until: .now)
        #expect(clock.until == end)
        #expect(throws: LeaseOver.self) { try LeaseClock(until: .now).check() }
    }
}
