/// Tells of a job's changes as they come.
public enum ExportWatch: Method {
    public static let name = "export.watch"
    public typealias Params = JobParams

    public struct Result: WireObject {
        /// What the notifications carry, and what ``ExportUnwatch`` takes.
        public let subscription: String
        public let job: Job

        public init(subscription: String, job: Job) {
            self.subscription = subscription
            self.job = job
        }

        public static let schema = ObjectSchema(
            .init("subscription", subscriptionSchema, "What the notifications carry."),
            .init("job", .component(Job.component), "The job as it stands; notifications tell what comes after."))
    }

    /// A subscription ends with its connection.
    public static func isRepeatable(_ params: Params) -> Bool { false }

    static let subscriptionSchema = Schema.text(upTo: 64)

    public static let summary = "Tells of a job's changes, in export.changed notifications, until it is final."
    public static let details =
        "A change of state is told at once, progress at most every 500 ms, and what does not change every 5 s. Each notification has the whole job, so one that a slow reader has not taken yet gives way to the next. Of a final job nothing is told. A subscription ends with its connection."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .unavailable]
    public static let isTakenInBatch = false
    public static let examples = [
        Example<Self>(
            "A job that is done", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
            .init(subscription: "s1", job: ExampleValues.succeeded))
    ]
}

/// The notification of ``ExportWatch``.
public struct ExportChanged: WireObject {
    public static let name = "export.changed"

    public let subscription: String
    public let job: Job

    public init(subscription: String, job: Job) {
        self.subscription = subscription
        self.job = job
    }

    public static let schema = ExportWatch.Result.schema
}
