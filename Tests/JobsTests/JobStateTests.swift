import Jobs
import Testing

@Suite struct JobStateTests {
    @Test("The ways between the states are those of the design, and no others")
    func transitions() {
        var ways: Set<String> = []
        for state in JobState.allCases {
            for event in JobState.Event.allCases {
                if let next = state.after(event) { ways.insert("\(state) \(event) \(next)") }
            }
        }
        #expect(
            ways == [
                "queued claimed running", "queued cancelled cancelled", "queued failed failed", "running handedBack queued",
                "running retried queued", "running rescued queued", "running crashed failed", "running completed succeeded",
                "running failed failed", "running cancelled cancelled", "succeeded expired expired",
            ])
    }

    @Test("A final state is left by expiry alone", arguments: JobState.allCases)
    func final(_ state: JobState) {
        let events = JobState.Event.allCases.filter { state.after($0) != nil }
        #expect(!state.isFinal || events.allSatisfy { $0 == .expired })
    }

    @Test("Ids sort by the time of their making, and read back")
    func ids() {
        let ids = (0..<1_000).map { _ in JobID().description }
        #expect(Set(ids).count == 1_000)
        #expect(ids.allSatisfy { JobID($0)?.description == $0 && Array($0)[14] == "7" && "89ab".contains(Array($0)[19]) })
        for wrong in [
            "", "x", String(repeating: "0", count: 36), "018f0000-0000-7000-8000-00000000000g", "../../etc/passwd",
        ] {
            #expect(JobID(wrong) == nil)
        }
    }

    @Test("Waits grow to the cap and are spread")
    func backoff() {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        for attempt in 0..<100 {
            let wait = backoff.next()
            #expect(wait > .zero && wait <= .seconds(5))
            if attempt == 0 { #expect(wait <= .milliseconds(100)) }
        }
    }
}
