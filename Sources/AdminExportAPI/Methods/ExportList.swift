/// Lists the actor's jobs, newest first.
public enum ExportList: Method {
    public static let name = "export.list"

    public struct Params: WireObject {
        /// May be left out by a caller with the `operator` grant, who then acts for nobody.
        public let actor: ActorName?
        /// Only jobs of this tenant; for operators who leave out `actor`.
        public let tenant: String?
        /// Only jobs in these states.
        public let states: [Job.State]?
        /// 1 to 100; 20 where absent.
        public let limit: Int?
        /// `nextCursor` of the page before.
        public let cursor: String?

        public init(
            actor: ActorName?, tenant: String? = nil, states: [Job.State]? = nil, limit: Int? = nil, cursor: String? = nil
        ) {
            self.actor = actor
            self.tenant = tenant
            self.states = states
            self.limit = limit
            self.cursor = cursor
        }

        public static let schema = ObjectSchema(
            ActorName.property(required: false),
            .init(
                "tenant", ActorName.label, "Only jobs of this tenant; for operators who leave out the actor.",
                required: false),
            .init(
                "states", .array(of: Job.stateSchema, upTo: Job.State.allCases.count, isSet: true),
                "Only jobs in these states.", required: false),
            .init("limit", .integer(1...maxJobs), "Jobs on a page.", default: 20),
            .init("cursor", .uuid, "nextCursor of the page before.", required: false))
    }

    public struct Result: WireObject {
        public let jobs: [Job]
        /// Absent on the last page.
        public let nextCursor: String?

        public init(jobs: [Job], nextCursor: String?) {
            self.jobs = jobs
            self.nextCursor = nextCursor
        }

        public static let schema = ObjectSchema(
            .init("jobs", .array(of: .component(Job.component), upTo: maxJobs), "The page."),
            .init("nextCursor", .uuid, "Absent on the last page.", required: false))
    }

    private static let maxJobs = 100

    public static let summary = "Lists the actor's jobs, newest first."
    public static let errors: [ErrorKind] = [.permissionDenied, .unavailable]
    public static let examples = [
        Example<Self>(
            "What is done", .init(actor: ExampleValues.actor, states: [.succeeded], limit: 1),
            .init(jobs: [ExampleValues.succeeded], nextCursor: nil))
    ]
}
