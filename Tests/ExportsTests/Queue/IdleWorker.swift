import Logging
import Postgres

@testable import Exports

extension Worker {
    /// A worker whose `run()` only the test calls.
    static func idle(
        _ pool: PostgresPool, _ leases: LeaseStore, slots: Int = 1, runner: any JobRunner = StubRunner(),
        observe: @escaping @Sendable (Step, ClaimedJob) -> Void = { _, _ in }
    ) -> Worker {
        var configuration = Worker.Configuration(slots: slots, host: "h", version: "1")
        configuration.observe = observe
        return Worker(
            configuration, database: JobDatabase(pool: pool, role: DatabaseRole.worker), leases: leases, runner: runner,
            maintenance: WakeSignal(), drain: Drain(budget: .zero), logger: Logger(label: "test"))
    }
}

/// Runs a function instead of an export.
struct StubRunner: JobRunner {
    var body: @Sendable (ClaimedJob) async throws -> JobResult = { _ in throw CancellationError() }

    func checkReadiness() async throws {}
    func storage() async -> String { "ok" }
    func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult {
        try await body(job)
    }
    func discard(_ job: ClaimedJob) async {}
    func failure(for error: any Error) -> JobFailure { JobFailure(kind: "k", message: "m") }
}
