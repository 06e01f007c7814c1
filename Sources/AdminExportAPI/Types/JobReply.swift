/// What most methods answer: one job.
public struct JobReply: WireObject {
    public let job: Job

    public init(job: Job) {
        self.job = job
    }

    public static let schema = ObjectSchema(.init("job", .component(Job.component), "The job as it stands."))
}
