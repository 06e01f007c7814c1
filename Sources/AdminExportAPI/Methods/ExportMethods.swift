/// The parameters of most methods: one job, and who asks for it.
public struct JobParams: WireObject {
    /// The administrator in whose name the caller asks; nil only for a caller with the `operator` grant.
    public let actor: ActorName?
    /// The job's id.
    public let job: String

    /// The parameters for one job.
    public init(actor: ActorName?, job: String) {
        self.actor = actor
        self.job = job
    }

    static let job = ObjectSchema.Property("job", .uuid, "The job's id.")

    /// The members on the wire.
    public static let schema = ObjectSchema(ActorName.property(required: false), job)
}

/// The result of most methods: one job.
public struct JobReply: WireObject {
    /// The job as it is now.
    public let job: Job

    /// The reply about one job.
    public init(job: Job) {
        self.job = job
    }

    static let job = ObjectSchema.Property("job", .component(Job.component), "The job as it is now.")

    /// The members on the wire.
    public static let schema = ObjectSchema(job)
}

/// Starts an export.
public enum ExportStart: Method {
    /// Which export is wanted, and in whose name.
    public struct Params: WireObject {
        /// The administrator in whose name the export is made.
        public let actor: ActorName
        /// Whether disabled administrators are exported too; false if absent.
        public let includeDisabled: Bool?
        /// Whether the workbook also has sheets of the tenant's profiles, groups and teams; false if absent.
        public let includeReferences: Bool?
        /// Whether a sheet about the export comes last; if absent, the service's configuration decides.
        public let includeAbout: Bool?
        /// 1 to 128 characters. A second start with the same key and the same options returns the same job.
        public let idempotencyKey: String?

        /// An absent option means its default.
        public init(
            actor: ActorName, includeDisabled: Bool? = nil, includeReferences: Bool? = nil, includeAbout: Bool? = nil,
            idempotencyKey: String? = nil
        ) {
            self.actor = actor
            self.includeDisabled = includeDisabled
            self.includeReferences = includeReferences
            self.includeAbout = includeAbout
            self.idempotencyKey = idempotencyKey
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            ActorName.property(required: true),
            .init("includeDisabled", .boolean, "Whether disabled administrators are exported too.", default: false),
            .init(
                "includeReferences", .boolean,
                "Whether the workbook also has sheets of the tenant's profiles and teams, and of the groups that the actor sees.",
                default: false),
            .init(
                "includeAbout", .boolean,
                "Whether the sheet `About this export` comes last. It states who requested the export and when, the time of the data, the scope, the warnings and the source of each column. If absent, workbook.about in the configuration applies; service.info returns it as includeAbout.",
                required: false),
            .init(
                "idempotencyKey", .text(upTo: 128),
                """
                A second start with the same key and the same options returns the same job while that job is queued, runs or has its \
                workbook, and for 48 hours at most (idempotency in the configuration). After that, it starts a new job. A key belongs to the \
                tenant and the actor.
                """,
                required: false))
    }

    /// The job, and whether this call made it.
    public struct Result: WireObject {
        /// The job as it is now.
        public let job: Job
        /// Whether an earlier call with the same idempotency key started the job.
        public let replayed: Bool

        /// The result for a job.
        public init(job: Job, replayed: Bool) {
            self.job = job
            self.replayed = replayed
        }

        /// Decodes a result. A service of an earlier version does not send `replayed`, which means false.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            job = try container.decode(Job.self, forKey: .job)
            replayed = try container.decodeIfPresent(Bool.self, forKey: .replayed) ?? false
        }

        private enum CodingKeys: String, CodingKey {
            case job, replayed
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            JobReply.job,
            .init("replayed", .boolean, "Whether an earlier call with the same idempotency key started the job."))
    }

    /// Only a start with an idempotency key can be sent again.
    public static func isRepeatable(_ params: Params) -> Bool { params.idempotencyKey != nil }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.start",
        "Starts an export.",
        details:
            "A new job is queued, or already running if a worker in the process of the service has claimed it.",
        errors: [.permissionDenied, .conflict, .quotaExceeded, .unavailable],
        examples: [
            (
                "An export with the default options", .init(actor: ExampleValues.actor),
                .init(job: ExampleValues.queued, replayed: false)
            ),
            (
                "A start that can be sent again", .init(actor: ExampleValues.actor, idempotencyKey: "report-2026-11-25"),
                .init(job: ExampleValues.queued, replayed: true)
            ),
        ])
}

/// Returns a job as it is now.
public enum ExportGet: Method {
    /// The job, and who asks.
    public typealias Params = JobParams
    /// The job.
    public typealias Result = JobReply

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.get", "Returns a job as it is now.", errors: [.permissionDenied, .notFound, .unavailable],
        examples: [
            (
                "A finished job", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
                .init(job: ExampleValues.succeeded)
            )
        ])
}

/// Lists jobs, newest first.
public enum ExportList: Method {
    /// Which jobs, and how many.
    public struct Params: WireObject {
        /// The administrator whose jobs are listed; nil only for a caller with the `operator` grant.
        public let actor: ActorName?
        /// Only jobs of the tenant with this slug. For operators; not together with `actor`.
        public let tenant: String?
        /// Only jobs in these states; all states if absent.
        public let states: [Job.State]?
        /// Jobs on a page, 1 to 100; 20 if absent.
        public let limit: Int?
        /// The `nextCursor` of the page before; the first page if absent.
        public let cursor: String?

        /// An absent parameter means its default.
        public init(
            actor: ActorName?, tenant: String? = nil, states: [Job.State]? = nil, limit: Int? = nil, cursor: String? = nil
        ) {
            self.actor = actor
            self.tenant = tenant
            self.states = states
            self.limit = limit
            self.cursor = cursor
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            ActorName.property(required: false),
            .init(
                "tenant", ActorName.label, "Only jobs of this tenant. For operators who omit the actor.",
                required: false),
            .init(
                "states", .array(of: Job.stateSchema, upTo: Job.State.allCases.count, isSet: true),
                "Only jobs in these states.", required: false),
            .init("limit", .integer(1...maxJobs), "Jobs on a page.", default: 20),
            .init("cursor", .uuid, "The nextCursor of the page before.", required: false))
    }

    /// One page of jobs.
    public struct Result: WireObject {
        /// The jobs of the page, newest first.
        public let jobs: [Job]
        /// The cursor of the next page; nil on the last page.
        public let nextCursor: String?

        /// One page of jobs.
        public init(jobs: [Job], nextCursor: String?) {
            self.jobs = jobs
            self.nextCursor = nextCursor
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("jobs", .array(of: .component(Job.component), upTo: maxJobs), "The jobs of the page."),
            .init("nextCursor", .uuid, "The cursor of the next page. Absent on the last page.", required: false))
    }

    private static let maxJobs = 100

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.list", "Lists the actor's jobs, newest first.", errors: [.permissionDenied, .unavailable],
        examples: [
            (
                "The latest finished job", .init(actor: ExampleValues.actor, states: [.succeeded], limit: 1),
                .init(jobs: [ExampleValues.succeeded], nextCursor: nil)
            )
        ])
}

/// Waits for a change of a job.
public enum ExportWait: Method {
    /// The job, and how long to wait for which revision.
    public struct Params: WireObject {
        /// The administrator in whose name the caller asks; nil only for a caller with the `operator` grant.
        public let actor: ActorName?
        /// The job's id.
        public let job: String
        /// The service answers when the job's revision is greater than this; at the next change if absent.
        public let afterRevision: Int?
        /// Milliseconds to wait, 1 to 60,000; 30,000 if absent. After that, the service returns the job as it is.
        public let timeoutMs: Int?

        /// An absent parameter means its default.
        public init(actor: ActorName?, job: String, afterRevision: Int? = nil, timeoutMs: Int? = nil) {
            self.actor = actor
            self.job = job
            self.afterRevision = afterRevision
            self.timeoutMs = timeoutMs
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            ActorName.property(required: false), JobParams.job,
            .init(
                "afterRevision", .count,
                "The service answers when the job's revision is greater than this; if absent, at the next change.",
                required: false),
            .init(
                "timeoutMs", .integer(1...60_000), "Milliseconds to wait. After that, the service returns the job as it is.",
                default: 30_000))
    }

    /// The job.
    public typealias Result = JobReply

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.wait", "Waits for a change of a job. If the job is final, returns it at once.",
        details: "For callers that do not read notifications. Other callers use export.watch.",
        errors: [.permissionDenied, .notFound, .unavailable], isTakenInBatch: false,
        examples: [
            (
                "A finished job", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, timeoutMs: 1_000),
                .init(job: ExampleValues.succeeded)
            )
        ])
}

/// Watches a job: the service notifies the caller of each change.
public enum ExportWatch: Method {
    /// The job, and who asks.
    public typealias Params = JobParams

    /// The subscription, and the job at its start.
    public struct Result: WireObject {
        /// The id that the notifications carry and that ``ExportUnwatch`` takes.
        public let subscription: String
        /// The job as it is now. Notifications report later changes.
        public let job: Job

        /// The result for a subscription.
        public init(subscription: String, job: Job) {
            self.subscription = subscription
            self.job = job
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("subscription", subscriptionSchema, "The id that the notifications carry."),
            .init("job", .component(Job.component), "The job as it is now. Notifications report later changes."))
    }

    /// False: a subscription ends with its connection.
    public static func isRepeatable(_ params: Params) -> Bool { false }

    static let subscriptionSchema = Schema.text(upTo: 64)

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.watch", "Sends export.changed notifications about a job until it is final.",
        details: """
            The service sends a change of state within 250 ms, a change of progress at most every 500 ms, and a notification every 5 s if \
            the job does not change. Each notification contains the whole job, so the next one replaces a notification that a slow reader \
            has not read. The service sends none for a job that is already final. A subscription ends with its connection.
            """,
        errors: [.permissionDenied, .notFound, .unavailable], isTakenInBatch: false,
        examples: [
            (
                "A finished job", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
                .init(subscription: "s1", job: ExampleValues.succeeded)
            )
        ])
}

/// The parameters of the notification that ``ExportWatch`` asks for.
public struct ExportChanged: WireObject {
    /// The notification's method name.
    public static let name = "export.changed"

    /// The id that ``ExportWatch`` gave.
    public let subscription: String
    /// The job as it is now.
    public let job: Job

    /// The parameters for one notification.
    public init(subscription: String, job: Job) {
        self.subscription = subscription
        self.job = job
    }

    /// The members on the wire.
    public static let schema = ExportWatch.Result.schema
}

/// Ends a subscription.
public enum ExportUnwatch: Method {
    /// Which subscription.
    public struct Params: WireObject {
        /// The id that ``ExportWatch`` gave.
        public let subscription: String

        /// The parameters for one subscription.
        public init(subscription: String) {
            self.subscription = subscription
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("subscription", ExportWatch.subscriptionSchema, "The id that export.watch returned."))
    }

    /// Nothing.
    public typealias Result = NoMembers

    /// False: a subscription ends with its connection.
    public static func isRepeatable(_ params: Params) -> Bool { false }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.unwatch", "Ends a subscription. No notification follows the reply.",
        details: "It is not an error if the subscription has ended or never existed.",
        examples: [("The end of a subscription", .init(subscription: "s1"), NoMembers())])
}

/// Cancels a job.
public enum ExportCancel: Method {
    /// The job, and who asks.
    public typealias Params = JobParams
    /// The job.
    public typealias Result = JobReply

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.cancel", "Cancels a job. A job that is final does not change.",
        details: """
            The service cancels a queued job at once. It asks the worker to stop a running job, which can still succeed: watch the job, or \
            wait for it. This request bypasses the requests that wait on the connection.
            """,
        errors: [.permissionDenied, .notFound, .unavailable],
        examples: [
            (
                "A finished job does not change", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
                .init(job: ExampleValues.succeeded)
            )
        ])
}

/// Deletes the workbook of a finished job.
public enum ExportDelete: Method {
    /// The job, and who asks.
    public typealias Params = JobParams
    /// The job.
    public typealias Result = JobReply

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.delete", "Deletes the workbook of a finished job. The job remains, with the state expired.",
        details:
            "The service returns a final job without a workbook unchanged. It refuses to delete a job that is queued or runs (not-ready).",
        errors: [.permissionDenied, .notFound, .notReady, .conflict, .unavailable],
        examples: [
            (
                "A deleted workbook", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
                .init(job: ExampleValues.expired)
            )
        ])
}
