/// Returns the service's metrics as numbers: ``ServiceMetrics`` has the same ones as text. Durations are in microseconds.
public enum ServiceStats: Method {
    /// None.
    public typealias Params = NoMembers

    /// The metrics.
    public struct Result: WireObject, Hashable {
        /// nil if the database does not answer.
        public var queue: Queue?
        /// nil if the database does not answer.
        public var work: Work?
        /// The disk of the archives.
        public var archives = Archives()
        /// Requests that this process has answered, by method and outcome.
        public var requests: [RequestCount] = []
        /// Durations of requests, except of those whose duration the caller chooses.
        public var requestTimes = Histogram()
        /// Workbooks that this process has given to callers.
        public var downloads = Downloads()
        /// Events that are not in the audit trail.
        public var auditEvents = AuditEvents()
        /// Callers of this process.
        public var connections = Connections()
        /// Connections of this process.
        public var databaseConnections = DatabaseConnections()

        /// Metrics without `queue` and `work`; every other number is 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("queue", .object(Queue.schema), "The queue; absent if the database does not answer.", required: false),
            .init(
                "work", .object(Work.schema),
                "What all workers have done since the installation; absent if the database does not answer.",
                required: false),
            .init("archives", .object(Archives.schema), "The disk of the archives."),
            .init(
                "requests", .array(of: .object(RequestCount.schema), upTo: 4_096),
                "Requests that this process has answered, by method and outcome."),
            .init(
                "requestTimes", .object(Histogram.schema),
                "Durations of requests, except those whose duration the caller chooses."),
            .init("downloads", .object(Downloads.schema), "Workbooks that this process has delivered to callers."),
            .init("auditEvents", .object(AuditEvents.schema), "Events that are not in the audit trail."),
            .init("connections", .object(Connections.schema), "Connections of callers to this process."),
            .init(
                "databaseConnections", .object(DatabaseConnections.schema),
                "Connections of this process to the database."))
    }

    /// The queue and the workers that take jobs from it.
    public struct Queue: WireObject, Hashable {
        /// Jobs that wait.
        public var queued = 0
        /// Jobs that run.
        public var running = 0
        /// How long the oldest job has waited, in milliseconds; nil if none waits.
        public var oldestQueuedMs: Int?
        /// Whether an operator has paused the queue.
        public var paused = false
        /// Jobs that the workers run at a time, at most.
        public var slots = 0
        /// Workers that have reported in the last 30 seconds.
        public var workers = Workers()

        /// An empty queue without workers.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("queued", .count, "Jobs that wait."), .init("running", .count, "Jobs that run."),
            .init(
                "oldestQueuedMs", .count, "How long the oldest job has waited, in milliseconds; absent if none waits.",
                required: false),
            .init("paused", .boolean, "Whether an operator has paused the queue."),
            .init("slots", .count, "The maximum number of jobs that the workers run at a time."),
            .init("workers", .object(Workers.schema), "Workers that have reported in the last 30 seconds."))
    }

    /// Numbers of workers by the state of their disk; see ``WorkerStatus/storage``.
    public struct Workers: WireObject, Hashable {
        /// Their disk works.
        public var ok = 0
        /// Their disk is full.
        public var full = 0
        /// Their disk has failed.
        public var failed = 0
        /// Their disk is not the one of this database.
        public var wrongStore = 0

        /// No workers.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("ok", .count, "Their disk works."), .init("full", .count, "Their disk is full."),
            .init("failed", .count, "Their disk has failed."),
            .init("wrongStore", .count, "Their disk does not belong to this database."))
    }

    /// What all workers have done since the installation.
    public struct Work: WireObject, Hashable {
        /// Attempts of exports, by their end.
        public var attempts = Attempts()
        /// Jobs that were taken from workers that stopped, by the reason.
        public var rescues = Rescues()
        /// Writes that were refused because the job belonged to another worker.
        public var rejectedWrites = 0
        /// Administrators in finished workbooks.
        public var rows = 0
        /// Bytes of finished workbooks.
        public var workbookBytes = 0
        /// From when a job could be claimed until it was.
        public var waits = Histogram()
        /// Durations of the attempts that succeeded.
        public var runs = Histogram()
        /// Connections of the workers to the database.
        public var databaseConnections = DatabaseConnections()

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("attempts", .object(Attempts.schema), "Attempts of exports, by their end."),
            .init("rescues", .object(Rescues.schema), "Jobs that were taken from workers that stopped, by the reason."),
            .init("rejectedWrites", .count, "Writes that were refused because the job belonged to another worker."),
            .init("rows", .count, "Administrators in finished workbooks."),
            .init("workbookBytes", .count, "Bytes of finished workbooks."),
            .init("waits", .object(Histogram.schema), "Times from when a job could be claimed until a worker claimed it."),
            .init("runs", .object(Histogram.schema), "Durations of the attempts that succeeded."),
            .init(
                "databaseConnections", .object(DatabaseConnections.schema), "Connections of the workers to the database."))
    }

    /// Attempts of exports, by their end.
    public struct Attempts: WireObject, Hashable {
        /// The workbook is finished.
        public var succeeded = 0
        /// The job has failed.
        public var failed = 0
        /// A caller cancelled the job.
        public var cancelled = 0
        /// A worker makes the export again after an error that may pass.
        public var retried = 0
        /// The worker was told to stop.
        public var handedBack = 0
        /// The worker lost its lease.
        public var returned = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("succeeded", .count, "The workbook is finished."), .init("failed", .count, "The job has failed."),
            .init("cancelled", .count, "A caller cancelled the job."),
            .init("retried", .count, "The job is queued again after a temporary error."),
            .init("handedBack", .count, "The job is queued again because its worker stopped."),
            .init("returned", .count, "The job is queued again because its worker lost the lease."))
    }

    /// Jobs that were taken from workers that stopped, by the reason.
    public struct Rescues: WireObject, Hashable {
        /// The lease was over.
        public var leaseOver = 0
        /// The worker's session with the database had ended.
        public var sessionOver = 0
        /// The deadline had passed.
        public var overdue = 0
        /// The job ran without a lease.
        public var leaseMissing = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("leaseOver", .count, "The lease had expired."),
            .init("sessionOver", .count, "The worker's session with the database had ended."),
            .init("overdue", .count, "The deadline had passed."),
            .init("leaseMissing", .count, "The job ran without a lease."))
    }

    /// The disk of the archives.
    public struct Archives: WireObject, Hashable {
        /// Bytes that can still be written; nil if the disk does not answer.
        public var freeBytes: Int?
        /// Size of the file system; nil if the disk does not answer.
        public var sizeBytes: Int?
        /// Operations on archives that have not returned for ten seconds.
        public var stuckOperations = 0
        /// Whether the disk answers and is the one of this database; nil if the database does not answer.
        public var ok: Bool?

        /// A disk that has not answered.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "freeBytes", .count, "Bytes that can still be written; absent if the disk does not answer.",
                required: false),
            .init(
                "sizeBytes", .count, "Size of the file system; absent if the disk does not answer.", required: false),
            .init("stuckOperations", .count, "Operations on archives that have not returned for ten seconds."),
            .init(
                "ok", .boolean,
                "Whether the disk answers and belongs to this database; absent if the database does not answer.",
                required: false))
    }

    /// Requests of one method with one outcome.
    public struct RequestCount: WireObject, Hashable {
        /// The method.
        public var method: String
        /// `ok` or the kind of the error.
        public var outcome: String
        /// Requests.
        public var count: Int

        /// A number of requests of a method with an outcome.
        package init(method: String, outcome: String, count: Int) {
            self.method = method
            self.outcome = outcome
            self.count = count
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("method", .text(upTo: 64), "The method."),
            .init("outcome", .text(upTo: 64), "ok, or the kind of the error."), .init("count", .count, "Requests."))
    }

    /// Workbooks that this process has given to callers.
    public struct Downloads: WireObject, Hashable {
        /// Workbooks that were given out as open files.
        public var opened = 0
        /// Bytes of workbooks that were sent through pipes and in parts.
        public var sentBytes = 0
        /// Workbooks that are being sent through pipes.
        public var transfers = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("opened", .count, "Workbooks that were passed as open files."),
            .init("sentBytes", .count, "Bytes of workbooks that were sent through pipes and in parts."),
            .init("transfers", .count, "Workbooks that are being sent through pipes."))
    }

    /// Events that are not in the audit trail.
    public struct AuditEvents: WireObject, Hashable {
        /// Denials and failed deliveries that are not in the audit trail yet.
        public var waiting = 0
        /// Failed deliveries that are missing from the audit trail.
        public var lost = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("waiting", .count, "Denials and failed deliveries that are not in the audit trail yet."),
            .init("lost", .count, "Failed deliveries that are missing from the audit trail."))
    }

    /// Callers of this process.
    public struct Connections: WireObject, Hashable {
        /// Callers that are connected.
        public var open = 0
        /// Callers that were accepted.
        public var accepted = 0
        /// Callers that were refused because of a limit.
        public var refused = 0
        /// Callers that were disconnected because they did not read or did not finish a line.
        public var stalled = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("open", .count, "Connections that are open."),
            .init("accepted", .count, "Connections that were accepted."),
            .init("refused", .count, "Connections that were refused because of a limit."),
            .init(
                "stalled", .count, "Connections that were closed because the caller did not read or did not complete a line."
            ))
    }

    /// Connections to the database.
    public struct DatabaseConnections: WireObject, Hashable {
        /// Connections that were opened.
        public var opened = 0
        /// Connections that were lost.
        public var lost = 0
        /// Attempts to connect that failed.
        public var failed = 0

        /// Counters that are all 0.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("opened", .count, "Connections that were opened."),
            .init("lost", .count, "Connections that ended: they were lost, or closed after an hour."),
            .init("failed", .count, "Attempts to connect that failed."))
    }

    /// Durations, counted by buckets.
    public struct Histogram: WireObject, Hashable {
        /// The buckets; their bounds increase.
        public var buckets: [Bucket] = []
        /// The sum of all durations, in microseconds.
        public var sumUs = 0

        /// A histogram without buckets.
        package init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("buckets", .array(of: .object(Bucket.schema), upTo: 64), "The buckets; their bounds increase."),
            .init("sumUs", .count, "The sum of all durations, in microseconds."))
    }

    /// One bucket of a histogram.
    public struct Bucket: WireObject, Hashable {
        /// The upper bound, in microseconds; nil in the last bucket.
        public var upToUs: Int?
        /// Durations above the bound of the bucket before and up to the bound of this one.
        public var count: Int

        /// A number of durations up to a bound; nil for the last bucket.
        package init(upToUs: Int?, count: Int) {
            self.upToUs = upToUs
            self.count = count
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("upToUs", .count, "The upper bound, in microseconds; absent in the last bucket.", required: false),
            .init("count", .count, "The number of durations above the bound of the previous bucket, up to this bound."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.stats", "Returns the service's metrics as numbers.",
        details: """
            queue and work are about the whole installation, the other members about the process that answers, since its start. No \
            metric is about a single tenant. service.metrics returns the same metrics as text.
            """,
        examples: [("The queue is empty", NoMembers(), example)])

    private static let example: Result = {
        var histogram = Histogram()
        histogram.buckets = [Bucket(upToUs: 5_000, count: 40), Bucket(upToUs: nil, count: 2)]
        histogram.sumUs = 312_000
        var result = Result()
        result.queue = Queue()
        result.queue?.slots = 1
        result.queue?.workers.ok = 1
        result.work = Work()
        result.work?.attempts.succeeded = 42
        result.work?.rows = 120_400
        result.work?.waits = histogram
        result.work?.runs = histogram
        result.archives.freeBytes = 41_000_000_000
        result.archives.sizeBytes = 100_000_000_000
        result.archives.ok = true
        result.requests = [RequestCount(method: "export.start", outcome: "ok", count: 42)]
        result.requestTimes = histogram
        result.connections.open = 1
        result.connections.accepted = 7
        return result
    }()
}
