/// Ends the life of a finished workbook.
public enum ExportDelete: Method {
    public static let name = "export.delete"
    public typealias Params = JobParams
    public typealias Result = JobReply

    public static let summary = "Ends the life of a finished workbook: its file goes, its job stays, as expired."
    public static let details = "Of a job that has no file, the job as it stands. While it is queued or runs: not-ready."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .notReady, .conflict, .unavailable]
    public static let examples = [
        Example<Self>(
            "Deleting", .init(actor: ExampleValues.actor, job: ExampleValues.jobID), .init(job: ExampleValues.expired))
    ]
}
