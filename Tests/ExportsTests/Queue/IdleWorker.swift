import Logging
import Postgres

@testable import Exports

extension Worker {
    /// A worker that does not run.
    static func idle(_ pool: PostgresPool, _ leases: LeaseStore) -> Worker {
        Worker(
            Worker.Configuration(slots: 1, host: "h", version: "1"),
            database: JobDatabase(pool: pool, role: DatabaseRole.worker), leases: leases, runner: NoRunner(),
            maintenance: WakeSignal(), drain: Drain(budget: .zero), logger: Logger(label: "test"))
    }
}

/// Runs nothing.
private struct NoRunner: JobRunner {
    func checkReadiness() async throws {}
    func storage() async -> String { "ok" }
    func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult {
        throw CancellationError()
    }
    func discard(_ job: ClaimedJob) async {}
    func failure(for error: any Error) -> JobFailure { JobFailure(kind: "k", message: "m") }
}
