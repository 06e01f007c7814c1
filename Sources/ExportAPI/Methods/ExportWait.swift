/// Waits for a change of a job.
public enum ExportWait: Method {
    public static let name = "export.wait"

    public struct Params: ParamObject {
        /// May be left out by a caller with the `operator` grant, who then acts for nobody.
        public let actor: Actor?
        /// The job's id.
        public let job: String
        /// Answers at a revision past this one; where absent, at the next change.
        public let afterRevision: Int?
        /// 1 to 60,000; 30,000 where absent. Then the job is given as it stands.
        public let timeoutMs: Int?

        public init(actor: Actor?, job: String, afterRevision: Int? = nil, timeoutMs: Int? = nil) {
            self.actor = actor
            self.job = job
            self.afterRevision = afterRevision
            self.timeoutMs = timeoutMs
        }

        public static let members: [String: (any ParamObject.Type)?] = [
            "actor": Actor.self,
            "job": nil,
            "afterRevision": nil,
            "timeoutMs": nil,
        ]
    }

    public typealias Result = JobReply
}
