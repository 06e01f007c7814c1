/// Gives a job as it stands.
public enum ExportGet: Method {
    public static let name = "export.get"
    public typealias Params = JobParams
    public typealias Result = JobReply

    public static let summary = "Gives a job as it stands."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .unavailable]
    public static let examples = [
        Example<Self>(
            "A job that is done", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
            .init(job: ExampleValues.succeeded))
    ]
}
