/// Begins or ends a legal hold.
public enum ServiceHold: Method {
    public static let name = "service.hold"

    public struct Params: WireObject {
        public let job: String
        public let on: Bool

        public init(job: String, on: Bool) {
            self.job = job
            self.on = on
        }

        public static let schema = ObjectSchema(
            JobParams.job, .init("on", .boolean, "Whether the hold begins or ends."))
    }

    public struct Result: WireObject {
        public let job: Job
        public let held: Bool

        public init(job: Job, held: Bool) {
            self.job = job
            self.held = held
        }

        public static let schema = ObjectSchema(
            .init("job", .component(Job.component), "The job as it stands."),
            .init("held", .boolean, "Whether it is under a legal hold."))
    }

    public static let summary =
        "Begins or ends a legal hold: while it lasts, neither time nor deletion takes the workbook or the job's record away."
    public static let details = "For operators of the job's tenant. Of a workbook that has expired: expired."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .expired, .unavailable]
    public static let examples = [
        Example<Self>(
            "An investigation", .init(job: ExampleValues.jobID, on: true), .init(job: ExampleValues.succeeded, held: true))
    ]
}
