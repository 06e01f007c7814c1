/// Ends the life of a finished workbook.
public enum ExportDelete: Method {
    public static let name = "export.delete"

    public struct Params: ParamObject {
        /// May be left out by a caller with the `operator` grant, who then acts for nobody.
        public let actor: Actor?
        /// The job's id.
        public let job: String

        public init(actor: Actor?, job: String) {
            self.actor = actor
            self.job = job
        }

        public static let members: [String: (any ParamObject.Type)?] = [
            "actor": Actor.self,
            "job": nil,
        ]
    }

    public typealias Result = JobReply
}
