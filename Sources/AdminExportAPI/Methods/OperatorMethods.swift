/// Pauses the queue.
public enum ServicePause: Method {
    /// None.
    public typealias Params = NoMembers
    /// Nothing.
    public typealias Result = NoMembers

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.pause",
        "Pauses the queue: no worker takes another job. Callers can still start exports, and running jobs continue.",
        details: "For operators of all tenants. If the queue is paused already, nothing changes.",
        errors: [.permissionDenied, .unavailable], examples: [("Before maintenance", NoMembers(), NoMembers())])
}

/// Resumes the queue.
public enum ServiceResume: Method {
    /// None.
    public typealias Params = NoMembers
    /// Nothing.
    public typealias Result = NoMembers

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.resume", "Resumes the queue after service.pause.", details: "For operators of all tenants.",
        errors: [.permissionDenied, .unavailable], examples: [("After maintenance", NoMembers(), NoMembers())])
}

/// A process that makes exports.
public struct WorkerStatus: WireObject, Hashable {
    /// A UUID that is new at each start of the process.
    public let id: String
    /// The machine's name.
    public let host: String
    /// The version of the program.
    public let version: String
    /// When the process started: RFC 3339, UTC.
    public let startedAt: String
    /// When the worker last reported: RFC 3339, UTC. It reports every ten seconds.
    public let seenAt: String
    /// Jobs that it can run at a time.
    public let slots: Int
    /// Jobs that it runs now.
    public let running: Int
    /// Whether it takes no more jobs.
    public let draining: Bool
    /// The state of the archives' disk as the worker sees it: `ok`, `full`, `failed` or `wrong-store`.
    public let storage: String

    /// A worker with these members.
    public init(
        id: String, host: String, version: String, startedAt: String, seenAt: String, slots: Int, running: Int,
        draining: Bool, storage: String
    ) {
        self.id = id
        self.host = host
        self.version = version
        self.startedAt = startedAt
        self.seenAt = seenAt
        self.slots = slots
        self.running = running
        self.draining = draining
        self.storage = storage
    }

    /// The members on the wire.
    public static let schema = ObjectSchema(
        .init("id", .uuid, "The worker's id, which is new at each start of the process."),
        .init("host", .text(upTo: 255), "The machine's name."),
        .init("version", .text(upTo: 64), "The version of the program."),
        .init("startedAt", .time, "When the process started."),
        .init("seenAt", .time, "When the worker last reported. It reports every ten seconds."),
        .init("slots", .count, "The number of jobs that the worker can run at a time."),
        .init("running", .count, "The number of jobs that the worker runs now."),
        .init("draining", .boolean, "Whether the worker is drained: it takes no more jobs."),
        .init(
            "storage", .oneOf(["ok", "full", "failed", "wrong-store"]),
            "The state of the archives' disk, as the worker reports it. The worker takes jobs only while the state is ok."))
}

/// Lists the workers.
public enum ServiceWorkers: Method {
    /// None.
    public typealias Params = NoMembers

    /// The workers.
    public struct Result: WireObject {
        /// The workers that reported within the last 30 seconds, oldest first.
        public let workers: [WorkerStatus]

        /// The result for these workers.
        public init(workers: [WorkerStatus]) {
            self.workers = workers
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "workers", .array(of: .object(WorkerStatus.schema), upTo: 1_000),
                "The workers that reported within the last 30 seconds, oldest first."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.workers", "Lists the workers that reported within the last 30 seconds.",
        details: "For operators of all tenants.", errors: [.permissionDenied, .unavailable],
        examples: [("One machine", NoMembers(), .init(workers: [ExampleValues.worker]))])
}

/// Stops a worker from taking further jobs.
public enum ServiceDrain: Method {
    /// Which worker, and whether the drain begins or ends.
    public struct Params: WireObject {
        /// The worker's id; see ``ServiceWorkers``.
        public let worker: String
        /// False lets the worker take jobs again; true if absent.
        public let on: Bool?

        /// The parameters for one worker.
        public init(worker: String, on: Bool? = nil) {
            self.worker = worker
            self.on = on
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("worker", .uuid, "The worker's id, as service.workers shows it."),
            .init("on", .boolean, "false lets the worker take jobs again.", default: true))
    }

    /// The worker.
    public struct Result: WireObject {
        /// The worker as it is now.
        public let worker: WorkerStatus

        /// The result for one worker.
        public init(worker: WorkerStatus) {
            self.worker = worker
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(.init("worker", .object(WorkerStatus.schema), "The worker as it is now."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.drain",
        "Stops a worker from taking further jobs. Its running jobs continue; when it runs none, it can be stopped.",
        details: "For operators of all tenants. The drain lasts until the worker's process ends or an operator ends it.",
        errors: [.permissionDenied, .notFound, .unavailable],
        examples: [
            ("Before an upgrade", .init(worker: ExampleValues.worker.id), .init(worker: ExampleValues.worker))
        ])
}

/// Begins or ends a legal hold.
public enum ServiceHold: Method {
    /// Which job, and whether the hold begins or ends.
    public struct Params: WireObject {
        /// The job's id.
        public let job: String
        /// Whether the hold begins (true) or ends (false).
        public let on: Bool

        /// The parameters for one job.
        public init(job: String, on: Bool) {
            self.job = job
            self.on = on
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            JobParams.job, .init("on", .boolean, "Whether the hold begins (true) or ends (false)."))
    }

    /// The job, and whether it is held.
    public struct Result: WireObject {
        /// The job as it is now.
        public let job: Job
        /// Whether the job is under a legal hold.
        public let held: Bool

        /// The result for one job.
        public init(job: Job, held: Bool) {
            self.job = job
            self.held = held
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            JobReply.job, .init("held", .boolean, "Whether the job is under a legal hold."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.hold",
        "Begins or ends a legal hold. During the hold, neither expiry nor deletion removes the workbook or the job's record.",
        details:
            "For operators of the job's tenant. The service refuses to begin a hold if the workbook has expired (expired).",
        errors: [.permissionDenied, .notFound, .expired, .unavailable],
        examples: [
            (
                "An investigation", .init(job: ExampleValues.jobID, on: true),
                .init(job: ExampleValues.succeeded, held: true)
            )
        ])
}
