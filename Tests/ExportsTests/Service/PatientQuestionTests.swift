@testable import Exports
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct PatientQuestionTests {
    /// Something that hangs until it is let go.
    private actor Gate {
        private var waiter: CheckedContinuation<Void, Never>?
        private(set) var questions = 0

        func wait() async {
            questions += 1
            await withCheckedContinuation { waiter = $0 }
        }

        func open() -> Bool {
            defer { waiter = nil }
            waiter?.resume()
            return waiter != nil
        }
    }

    @Test("Nobody waits for ever, one question hangs and no second is put beside it, and afterwards all is as before")
    func patience() async throws {
        let question = PatientQuestion<Void>()
        let gate = Gate()
        for _ in 0..<3 {
            await #expect(throws: NoAnswer.self) {
                try await question.ask(atMost: .milliseconds(5)) { await gate.wait() }
            }
        }
        #expect(await gate.questions == 1)
        while await !gate.open() { await Task.yield() }
        // Whoever comes before the answer is noticed gets that one, and then a question of their own is put.
        let asked = Mutex(false)
        while asked.withLock({ !$0 }) {
            try await question.ask(atMost: .seconds(30)) { asked.withLock { $0 = true } }
        }
        struct Fault: Error {}
        await #expect(throws: Fault.self) { try await question.ask(atMost: .seconds(30)) { throw Fault() } }
        try await question.ask(atMost: .seconds(30)) {}
    }
}
