package import Logging
private import Postgres
internal import ServiceLifecycle
private import Synchronization

/// Claims jobs and runs them, a few at a time, until the service stops.
///
/// One loop claims for all slots. It sleeps when there is nothing to do, until somebody rings or until it is time to look again,
/// whatever comes first. On a graceful shutdown it claims no more, lets what runs end within the budget of its ``Drain``,
/// and hands the rest back to the queue.
package struct Worker: Service {
    package struct Configuration: Sendable {
        package var slots: Int
        package var host: String
        package var version: String
        /// The longest wait for a database that is away.
        package var maxReconnectDelay: Duration = .seconds(2)
        /// The longest wait before a job's next attempt.
        package var maxRetryDelay: Duration = .seconds(30)
        /// How long after its first attempt a job is tried again.
        package var giveUpAfter: Duration = .seconds(3_600)
        /// Attempts, lost leases among them, after which a job whose worker was stopped once more is given up.
        package var maxReturns = 20
        /// How long the row of a finished job is kept.
        package var history: Duration = .seconds(400 * 86_400)
        /// Counters that are kept elsewhere, for the worker's row.
        package var furtherCounters: @Sendable () -> [WorkerCounters.Name: Int] = { [:] }
        /// Told of each step of an attempt before it goes on; for tests.
        package var observe: @Sendable (Step, ClaimedJob) -> Void = { _, _ in }

        package init(slots: Int, host: String, version: String) {
            self.slots = slots
            self.host = host
            self.version = version
        }
    }

    /// New at each start: nobody takes a dead process for a living one.
    package let id = JobID()
    package let counters = WorkerCounters()
    /// Beats while the loop that claims goes round.
    package let liveness = LivenessProbe()
    let drain: Drain
    /// Rung when there may be a job to claim.
    package let wakeSignal = WakeSignal()
    /// What this rings when files are to be removed or rows to be forgotten.
    let maintenance: WakeSignal
    let configuration: Configuration
    let database: JobDatabase
    let leases: LeaseStore
    let runner: any JobRunner
    let logger: Logger
    let running = Running()

    /// What this worker runs now. A run that hangs may outlive its epoch, so a job may stand here twice.
    final class Running: Sendable {
        private let state = Mutex((runs: 0, own: [JobID: Set<Int>]()))

        var count: Int { state.withLock { $0.runs } }
        /// Jobs whose rows this worker may change.
        var own: [JobID] { state.withLock { Array($0.own.keys) } }

        func begin(_ job: ClaimedJob) {
            state.withLock { state in
                state.runs += 1
                state.own[job.id, default: []].insert(job.epoch)
            }
        }

        /// The end is written down, or will never be.
        func settle(_ job: ClaimedJob) {
            state.withLock { state in
                state.own[job.id]?.remove(job.epoch)
                if state.own[job.id]?.isEmpty == true { state.own[job.id] = nil }
            }
        }

        func end() {
            state.withLock { $0.runs -= 1 }
        }
    }

    package init(
        _ configuration: Configuration, database: JobDatabase, leases: LeaseStore, runner: any JobRunner,
        maintenance: WakeSignal,
        drain: Drain, logger: Logger
    ) {
        self.configuration = configuration
        self.database = database
        self.leases = leases
        self.runner = runner
        self.maintenance = maintenance
        self.drain = drain
        self.logger = logger.with([.worker: id])
    }

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            var loop = WorkerLoop(configuration)
            var isSignalled = false
            while !isStopping {
                switch await loop.next(of: self, isSignalled: isSignalled) {
                case .run(let job, let lease):
                    running.begin(job)
                    group.addTask {
                        await execute(job, lease)
                        running.end()
                        wakeSignal.signal()
                    }
                case .sleep(let time):
                    isSignalled = await wakeSignal.wait(for: time)
                }
            }
            await loop.stay(with: self)
        }
        // Runs after a graceful stop; a worker that cannot say goodbye is forgotten in time.
        try? await database.statement { [row] in try await leases.unregister(row, on: $0) }
    }

    /// How many jobs it runs now.
    package var runningCount: Int { running.count }

    var row: LeaseStore.WorkerRegistration {
        let (json, shown) = counters.row(with: configuration.furtherCounters())
        return LeaseStore.WorkerRegistration(
            id: id.description, host: configuration.host, version: configuration.version, slots: configuration.slots,
            counters: json, shown: shown)
    }

    var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    var hasRoom: Bool { running.count < configuration.slots }
}
