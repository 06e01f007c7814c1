import Exports
import Testing

@Suite struct JobIDTests {
    @Test("Ids sort by the time of their creation, and a text that is not an id is refused")
    func ids() {
        let ids = (0..<1_000).map { _ in JobID().description }
        #expect(Set(ids).count == 1_000)
        #expect(ids.allSatisfy { JobID($0)?.description == $0 && Array($0)[14] == "7" && "89ab".contains(Array($0)[19]) })
        // Ids that are a microsecond apart are in order, also within one millisecond.
        let ordered = (0..<500).map { _ in
            let id = JobID().description
            let next = ContinuousClock.now + .microseconds(1)
            while ContinuousClock.now < next {}
            return id
        }
        #expect(ordered == ordered.sorted())
        for wrong in [
            "", "x", String(repeating: "0", count: 36), "018f0000-0000-7000-8000-00000000000g", "../../etc/passwd",
        ] {
            #expect(JobID(wrong) == nil)
        }
    }
}
