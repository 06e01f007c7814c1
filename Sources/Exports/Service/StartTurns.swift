private import Synchronization

/// Limits the starts of a tenant that wait in the database for the tenant's lock, each of which holds a connection. Further
/// starts wait here, first in, first out.
///
/// The limit is more than one, so that the next start is ready when the lock is released.
final class StartTurns: Sendable {
    private struct Line {
        var inside = 0
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private struct State {
        var lines: [String: Line] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let places: Int
    /// The limit for one tenant.
    private let maxWaiting: Int
    private let timeout: Duration
    private let state = Mutex(State())

    init(places: Int = 2, maxWaiting: Int = 1_000, timeout: Duration = JobStore.startLockTimeout) {
        self.places = places
        self.maxWaiting = maxWaiting
        self.timeout = timeout
    }

    /// The number of the tenant's starts that wait here.
    func waiting(_ tenant: String) -> Int { state.withLock { $0.lines[tenant]?.waiting.count ?? 0 } }

    /// The number of tenants with state in memory.
    var count: Int { state.withLock { $0.lines.count } }

    /// - Parameter body: receives what is left of the timeout, which covers this wait and the one in the database.
    /// - Throws: ``QueueError/busy`` if too many starts wait or the time is up; CancellationError; what the body throws.
    func withPlace<Result: Sendable>(
        of tenant: String, _ body: (_ left: Duration) async throws -> Result
    ) async throws -> Result {
        let deadline = ContinuousClock.now + timeout
        try await enter(tenant, until: deadline)
        defer { leave(tenant) }
        let left = deadline - .now
        guard left > .zero else { throw QueueError.busy }
        return try await body(left)
    }

    private func enter(_ tenant: String, until deadline: ContinuousClock.Instant) async throws {
        try Task.checkCancellation()
        let id: UInt64? = try state.withLock { state in
            let line = state.lines[tenant, default: Line()]
            if line.inside < places {
                state.lines[tenant, default: Line()].inside += 1
                return nil
            }
            guard line.waiting.count < maxWaiting else { throw QueueError.busy }
            state.nextWaiter += 1
            return state.nextWaiter
        }
        guard let id else { return }
        // The timer ends with this function.
        let timer = Task {
            try await Task.sleep(until: deadline)
            self.end(id, of: tenant, QueueError.busy)
        }
        defer { timer.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isInside = state.withLock { state in
                    // A place may have become free in the meantime.
                    if state.lines[tenant, default: Line()].inside < places {
                        state.lines[tenant, default: Line()].inside += 1
                        return true
                    }
                    state.lines[tenant, default: Line()].waiting.append((id, continuation))
                    return false
                }
                if isInside { continuation.resume() }
                // A cancellation, or the deadline, before the append has no other effect.
                if Task.isCancelled { end(id, of: tenant, CancellationError()) }
                if ContinuousClock.now >= deadline { end(id, of: tenant, QueueError.busy) }
            }
        } onCancel: {
            end(id, of: tenant, CancellationError())
        }
    }

    private func end(_ id: UInt64, of tenant: String, _ error: any Error) {
        let continuation: CheckedContinuation<Void, any Error>? = state.withLock { state in
            guard let index = state.lines[tenant]?.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            return state.lines[tenant]?.waiting.remove(at: index).continuation
        }
        continuation?.resume(throwing: error)
    }

    /// Gives the place to the start that has waited longest.
    private func leave(_ tenant: String) {
        let next: CheckedContinuation<Void, any Error>? = state.withLock { state in
            guard var line = state.lines[tenant] else { return nil }
            defer { state.lines[tenant] = line.inside == 0 && line.waiting.isEmpty ? nil : line }
            if !line.waiting.isEmpty { return line.waiting.removeFirst().continuation }
            line.inside -= 1
            return nil
        }
        next?.resume()
    }
}
