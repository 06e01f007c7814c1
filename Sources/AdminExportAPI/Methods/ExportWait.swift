/// Waits for a change of a job.
public enum ExportWait: Method {
    public static let name = "export.wait"

    public struct Params: WireObject {
        /// May be left out by a caller with the `operator` grant, who then acts for nobody.
        public let actor: ActorName?
        /// The job's id.
        public let job: String
        /// Answers at a revision past this one; where absent, at the next change.
        public let afterRevision: Int?
        /// 1 to 60,000; 30,000 where absent. Then the job is given as it stands.
        public let timeoutMs: Int?

        public init(actor: ActorName?, job: String, afterRevision: Int? = nil, timeoutMs: Int? = nil) {
            self.actor = actor
            self.job = job
            self.afterRevision = afterRevision
            self.timeoutMs = timeoutMs
        }

        public static let schema = ObjectSchema(
            ActorName.property(required: false), JobParams.job,
            .init(
                "afterRevision", .count, "Answers at a revision past this one; where absent, at the next change.",
                required: false),
            .init("timeoutMs", .integer(1...60_000), "Then the job is given as it stands.", default: 30_000))
    }

    public typealias Result = JobReply

    public static let summary = "Waits for a change of a job; a finished one is given at once."
    public static let details = "For callers that take no notifications; else see export.watch."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .unavailable]
    public static let isTakenInBatch = false
    public static let examples = [
        Example<Self>(
            "A job that is done", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, timeoutMs: 1_000),
            .init(job: ExampleValues.succeeded))
    ]
}
