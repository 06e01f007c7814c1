/// Runs an operation once for all callers that need its result at the same time: a call that arrives during a run gets the
/// result of that run. For an operation that is expensive, or that may hang, such as a call on a disk.
///
/// The operation runs in a detached task. It continues when a caller stops waiting, and inherits nothing from the first caller.
package actor SingleFlight<Value: Sendable> {
    private let lifetime: Duration
    private var isRunning = false
    private var last: (value: Value, at: ContinuousClock.Instant)?
    private var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
    private var nextWaiter = 0

    /// - Parameter lifetime: how long a value is also returned to calls that arrive after its run.
    package init(reusingValueFor lifetime: Duration = .zero) {
        self.lifetime = lifetime
    }

    /// Runs the operation, or waits for the run that is under way.
    ///
    /// - Parameter timeout: how long this caller waits; nil if the operation itself has a time limit.
    /// - Throws: ``SingleFlightTimeout``, or what the operation throws.
    package func run(
        timeout: Duration? = nil, _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        if let last, last.at.duration(to: .now) < lifetime { return last.value }
        if !isRunning {
            isRunning = true
            Task.detached {
                do {
                    await self.end(.success(try await operation()))
                } catch {
                    await self.end(.failure(error))
                }
            }
        }
        nextWaiter += 1
        let number = nextWaiter
        let timer = timeout.map { timeout in
            Task {
                try await Task.sleep(for: timeout)
                waiters.removeValue(forKey: number)?.resume(throwing: SingleFlightTimeout())
            }
        }
        defer { timer?.cancel() }
        return try await withCheckedThrowingContinuation { waiters[number] = $0 }
    }

    private func end(_ result: Result<Value, any Error>) {
        isRunning = false
        if case .success(let value) = result { last = (value, .now) }
        let ended = waiters.values
        waiters = [:]
        for waiter in ended { waiter.resume(with: result) }
    }
}

/// The operation did not end within the caller's timeout, and still runs.
package struct SingleFlightTimeout: Error {}
