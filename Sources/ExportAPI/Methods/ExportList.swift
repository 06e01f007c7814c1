/// Lists the actor's jobs, newest first.
public enum ExportList: Method {
    public static let name = "export.list"

    public struct Params: ParamObject {
        /// May be left out by a caller with the `operator` grant, who then acts for nobody.
        public let actor: Actor?
        /// Only jobs of this tenant; for operators who leave out `actor`.
        public let tenant: String?
        /// Only jobs in these states.
        public let states: [Job.State]?
        /// 1 to 100; 20 where absent.
        public let limit: Int?
        /// `nextCursor` of the page before.
        public let cursor: String?

        public init(
            actor: Actor?, tenant: String? = nil, states: [Job.State]? = nil, limit: Int? = nil, cursor: String? = nil
        ) {
            self.actor = actor
            self.tenant = tenant
            self.states = states
            self.limit = limit
            self.cursor = cursor
        }

        public static let members: [String: (any ParamObject.Type)?] = [
            "actor": Actor.self,
            "tenant": nil,
            "states": nil,
            "limit": nil,
            "cursor": nil,
        ]
    }

    public struct Result: Codable, Sendable {
        public let jobs: [Job]
        /// Absent on the last page.
        public let nextCursor: String?

        public init(jobs: [Job], nextCursor: String?) {
            self.jobs = jobs
            self.nextCursor = nextCursor
        }
    }
}
