/// What most methods answer: one job.
public struct JobReply: Codable, Sendable {
    public let job: Job

    public init(job: Job) {
        self.job = job
    }
}
