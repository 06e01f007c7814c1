import Testing

/// The rules by which a tenant becomes ready and stops to be.
@Suite(.timeLimit(.minutes(10))) struct ReadyTests {
    private static let counts: [ReadyExploration.Kind: Int] = [
        .start: 2, .claim: 1, .requeue: 1, .promote: 1, .cancel: 1, .settle: 1,
    ]

    @Test(
        "In every order of starts, claims, ends, retries, cancellations and settlements, a tenant with a job to claim is ready"
    )
    func holds() throws {
        let worlds = try ReadyExploration(counts: Self.counts, jobs: 3).run()
        #expect(worlds > 10_000)
    }

    @Test("Without any one of its rules a job could wait forever", arguments: ReadyExploration.Rule.allCases)
    func needed(_ rule: ReadyExploration.Rule) {
        #expect(throws: ReadyExploration.Violation.self) {
            try ReadyExploration(missing: rule, counts: Self.counts, jobs: 3).run()
        }
    }
}
