/// A question to something that may hang, such as a disk: one at a time, and nobody waits for the answer for ever.
///
/// Whoever asks while an earlier question hangs waits for that one's answer.
actor PatientQuestion {
    private var asking: Task<Void, any Error>?

    /// The time is up; the question goes on.
    struct NoAnswer: Error {}

    /// - Throws: ``NoAnswer``, or what the body throws.
    func ask(atMost limit: Duration, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let question = asking ?? Task { try await body() }
        asking = question
        let (answers, continuation) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
        let timer = Task {
            try await Task.sleep(for: limit)
            continuation.yield(.failure(NoAnswer()))
            continuation.finish()
        }
        defer { timer.cancel() }
        Task {
            continuation.yield(await question.result)
            continuation.finish()
            end(question)
        }
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    private func end(_ question: Task<Void, any Error>) {
        if asking == question { asking = nil }
    }
}
