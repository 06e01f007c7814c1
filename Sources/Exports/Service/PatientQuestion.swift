/// A question to something that may hang, such as a disk: one at a time, and nobody waits for the answer for ever.
///
/// Whoever asks while an earlier question hangs waits for that one's answer.
package actor PatientQuestion<Answer: Sendable> {
    private var isAsking = false
    private var waiters: [Int: CheckedContinuation<Answer, any Error>] = [:]
    private var nextWaiter = 0

    package init() {}

    /// - Throws: ``NoAnswer``, or what the body throws.
    package func ask(atMost limit: Duration, _ body: @escaping @Sendable () async throws -> Answer) async throws -> Answer {
        if !isAsking {
            isAsking = true
            Task {
                let answer: Result<Answer, any Error>
                do {
                    answer = .success(try await body())
                } catch {
                    answer = .failure(error)
                }
                end(answer)
            }
        }
        nextWaiter += 1
        let number = nextWaiter
        let timer = Task {
            try await Task.sleep(for: limit)
            giveUp(number)
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { waiters[number] = $0 }
    }

    private func giveUp(_ number: Int) {
        waiters.removeValue(forKey: number)?.resume(throwing: NoAnswer())
    }

    private func end(_ answer: Result<Answer, any Error>) {
        isAsking = false
        let all = waiters.values
        waiters = [:]
        for waiter in all { waiter.resume(with: answer) }
    }
}

/// The time is up; the question goes on.
package struct NoAnswer: Error {}
