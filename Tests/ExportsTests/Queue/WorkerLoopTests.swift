import Postgres
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct WorkerLoopTests {
    private let leases = LeaseStore(
        tenantLimit: { 1 }, lease: .seconds(60), deadline: .seconds(60), retention: .seconds(60))

    /// The wait after a turn that claims nothing.
    private func wait(_ loop: inout WorkerLoop, isSignalled: Bool) async throws -> Duration {
        guard case .wait(let time) = await loop.next(isSignalled: isSignalled) else {
            Issue.record("the turn claimed a job")
            return .zero
        }
        return time
    }

    @Test(
        "A signal without a job to claim causes no second poll within a second, unless a job of the worker waits for another attempt"
    )
    func signals() async throws {
        try await TestDatabase.with { database in
            let worker = Worker.idle(database.pool(), leases)
            var loop = WorkerLoop(worker)
            let start = ContinuousClock.now
            #expect(try await wait(&loop, isSignalled: false) > .seconds(4))
            let wait = try await wait(&loop, isSignalled: true)
            #expect(wait <= .seconds(1) || start.duration(to: .now) > .seconds(1))
            worker.running.noteRequeued()
            #expect(try await self.wait(&loop, isSignalled: true) > .seconds(4))
        }
    }
}
