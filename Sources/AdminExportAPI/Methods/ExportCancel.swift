/// Cancels a job; a finished one stays as it is.
public enum ExportCancel: Method {
    public static let name = "export.cancel"
    public typealias Params = JobParams
    public typealias Result = JobReply

    public static let summary = "Cancels a job; a finished one stays as it is."
    public static let details =
        "A queued job is cancelled at once. A running one is asked to end and may still succeed: watch it, or wait for it. This request passes those that wait on the connection."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .unavailable]
    public static let examples = [
        Example<Self>(
            "Cancelling what is done already", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
            .init(job: ExampleValues.succeeded))
    ]
}
