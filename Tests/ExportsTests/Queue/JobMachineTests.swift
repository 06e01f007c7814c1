import Testing

@testable import Exports

@Suite struct JobMachineTests {
    @Test("The transitions between the states are those of the design, and no others")
    func transitions() {
        var ways: Set<String> = []
        let events: [JobMachine.Event] =
            [
                .claimed, .renewed(epoch: 1), .leaseRanOut, .swept(.leaseOver), .swept(.overdue), .swept(.sessionOver),
                .cancelRequested, .deleted,
                .retired,
                .fileRemoved(epoch: 1), .held(true), .held(false),
            ] + AttemptEnd.samples.map { .ended(epoch: 1, $0.end, isTooLate: $0.isTooLate) }
        for state in JobState.allCases {
            for isCancelRequested in [false, true] {
                for crashes in [0, JobMachine.maxCrashes - 1] {
                    for event in events {
                        var job = JobMachine(
                            state: state, epoch: 1, attempt: 1, crashes: crashes, losses: crashes,
                            isCancelRequested: isCancelRequested,
                            archiveEpoch: state == .succeeded || state == .expired ? 1 : nil, isHeld: false,
                            lease: state == .running ? .valid : nil)
                        if event == .swept(.leaseOver) { _ = job.apply(.leaseRanOut) }
                        if job.apply(event), job.state != state { ways.insert("\(state) \(job.state)") }
                    }
                }
            }
        }
        #expect(
            ways == [
                "queued running", "queued cancelled", "running queued", "running succeeded", "running failed",
                "running cancelled", "succeeded expired",
            ])
    }

    @Test("No job is lost or done twice in any order of events of two workers, callers and the sweep")
    func exploration() throws {
        let (worlds, steps) = try Exploration(maxEpochs: 3).run()
        // Far fewer would mean that the search has missed most states.
        #expect(worlds > 5_000 && steps > 20_000, "\(worlds) worlds, \(steps) steps")
    }

    @Test("Without any one of its guards, the queue violates a rule", arguments: Guard.allCases)
    func withoutGuard(_ missing: Guard) {
        #expect(throws: Exploration.Violation.self) { try Exploration(missing: missing, maxEpochs: 3).run() }
    }

    @Test("A sweep for a missing lease takes a job without a lease, and no other job")
    func missingLease() {
        for lease in [nil, JobMachine.Lease.valid, .expired] {
            var job = JobMachine(
                state: .running, epoch: 1, attempt: 1, crashes: 0, losses: 0, isCancelRequested: false, archiveEpoch: nil,
                isHeld: false,
                lease: lease)
            #expect(job.apply(.swept(.leaseMissing)) == (lease == nil))
        }
    }

    @Test("A job fails at the third lost lease, and an attempt that is handed back does not count")
    func crashes() {
        var job = JobMachine()
        for crash in 1...JobMachine.maxCrashes {
            #expect(job.apply(.claimed) && job.apply(.leaseRanOut) && job.apply(.swept(.leaseOver)))
            #expect(job.state == (crash < JobMachine.maxCrashes ? .queued : .failed))
        }
        var other = JobMachine()
        #expect(other.apply(.claimed) && other.apply(.leaseRanOut) && other.apply(.ended(epoch: 1, .handedBack)))
        #expect(other.state == .queued && other.attempt == 0 && other.crashes == 0 && other.epoch == 1)
    }
}
