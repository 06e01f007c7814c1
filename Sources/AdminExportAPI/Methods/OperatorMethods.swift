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

/// A legal hold of a job.
public struct LegalHold: WireObject, Hashable {
    /// When the hold began or was changed last; nil if an earlier version of the service began it.
    public let since: String?
    /// The user id of the process that began or changed it; nil in the same case.
    public let uid: Int?
    /// Why; nil if the operator gave no reason.
    public let reason: String?
    /// When the hold ends by itself; nil if it does not.
    public let until: String?

    /// A hold with these members.
    public init(since: String?, uid: Int?, reason: String?, until: String?) {
        self.since = since
        self.uid = uid
        self.reason = reason
        self.until = until
    }

    /// The members on the wire.
    public static let schema = ObjectSchema(
        .init(
            "since", .time, "When the hold began or was changed last. Absent if an earlier version of the service began it.",
            required: false),
        .init(
            "uid", .count, "The user id of the process that began or changed it. Absent in the same case.", required: false),
        .init("reason", .text(upTo: 500), "Why. Absent if the operator gave no reason.", required: false),
        .init("until", .time, "When the hold ends by itself. Absent if it does not, or if on is false.", required: false))
}

/// Begins or ends a legal hold.
public enum ServiceHold: Method {
    /// Which job, and whether the hold begins or ends.
    public struct Params: WireObject {
        /// The job's id.
        public let job: String
        /// Whether the hold begins (true) or ends (false).
        public let on: Bool
        /// Why, in up to 500 characters; nil for no reason, or for no change.
        public let reason: String?
        /// When the hold ends by itself: RFC 3339; nil for never.
        public let until: String?

        /// The parameters for one job.
        public init(job: String, on: Bool, reason: String? = nil, until: String? = nil) {
            self.job = job
            self.on = on
            self.reason = reason
            self.until = until
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            JobParams.job, .init("on", .boolean, "Whether the hold begins (true) or ends (false)."),
            .init(
                "reason", .text(upTo: 500),
                "The reason, for the list of holds and the audit trail. If the job is already held, a call with reason or until replaces both members. With on: false, the service writes the reason only to the audit trail.",
                required: false),
            .init("until", .time, "When the hold ends by itself. Absent if it does not, or if on is false.", required: false)
        )
    }

    /// The job, and whether it is held.
    public struct Result: WireObject {
        /// The job as it is now.
        public let job: Job
        /// Whether the job is under a legal hold.
        public let held: Bool
        /// The hold; nil if there is none, and from a service of an earlier version.
        public let hold: LegalHold?

        /// The result for one job.
        public init(job: Job, held: Bool, hold: LegalHold? = nil) {
            self.job = job
            self.held = held
            self.hold = hold
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            JobReply.job, .init("held", .boolean, "Whether the job is under a legal hold."),
            .init("hold", .object(LegalHold.schema), "The hold. Absent if there is none.", required: false))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.hold",
        "Begins or ends a legal hold. During the hold, neither expiry nor deletion removes the workbook or the job's record.",
        details: """
            For operators of the job's tenant. The service refuses to begin a hold if the workbook has expired (expired). A hold with until \
            ends within some minutes after that time.
            """,
        errors: [.permissionDenied, .notFound, .expired, .unavailable],
        examples: [
            (
                "An investigation",
                .init(job: ExampleValues.jobID, on: true, reason: "Case 2026-17", until: "2099-01-01T00:00:00.000Z"),
                .init(job: ExampleValues.succeeded, held: true, hold: ServiceHolds.example)
            )
        ])
}

/// Lists the legal holds.
public enum ServiceHolds: Method {
    /// Which holds, and how many.
    public struct Params: WireObject {
        /// Only holds of the tenant with this slug.
        public let tenant: String?
        /// Holds on a page, 1 to 100; 20 if absent.
        public let limit: Int?
        /// The `nextCursor` of the page before; the first page if absent.
        public let cursor: String?

        /// An absent parameter means its default, or no restriction.
        public init(tenant: String? = nil, limit: Int? = nil, cursor: String? = nil) {
            self.tenant = tenant
            self.limit = limit
            self.cursor = cursor
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("tenant", ActorName.label, "Only holds of this tenant.", required: false),
            .init("limit", .integer(1...maxHolds), "Holds on a page.", default: 20),
            .init("cursor", .uuid, "The nextCursor of the page before.", required: false))
    }

    /// A job and its hold.
    public struct HeldJob: WireObject, Hashable {
        /// The job as it is now.
        public let job: Job
        /// Its hold.
        public let hold: LegalHold

        /// A job under a hold.
        public init(job: Job, hold: LegalHold) {
            self.job = job
            self.hold = hold
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(JobReply.job, .init("hold", .object(LegalHold.schema), "Its hold."))
    }

    /// One page of holds.
    public struct Result: WireObject {
        /// The holds of the page, those of the newest jobs first.
        public let holds: [HeldJob]
        /// The cursor of the next page; nil on the last page.
        public let nextCursor: String?

        /// One page of holds.
        public init(holds: [HeldJob], nextCursor: String?) {
            self.holds = holds
            self.nextCursor = nextCursor
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("holds", .array(of: .object(HeldJob.schema), upTo: maxHolds), "The holds of the page."),
            .init("nextCursor", .uuid, "The cursor of the next page. Absent on the last page.", required: false))
    }

    private static let maxHolds = 100
    static let example = LegalHold(
        since: "2026-11-25T09:40:00.000Z", uid: 0, reason: "Case 2026-17", until: "2099-01-01T00:00:00.000Z")

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.holds", "Lists the legal holds: which export, by whom, since when, why and until when.",
        details: "For operators, who see the holds of the tenants of their grant.",
        errors: [.permissionDenied, .unavailable],
        examples: [
            (
                "An investigation", .init(),
                .init(holds: [.init(job: ExampleValues.succeeded, hold: example)], nextCursor: nil)
            )
        ])
}
