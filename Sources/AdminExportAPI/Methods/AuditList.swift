/// Lists the audit trail.
public enum AuditList: Method {
    public static let name = "audit.list"

    public struct Params: WireObject {
        public let tenant: String?
        public let administrator: String?
        public let job: String?
        public let events: [String]?
        public let from: String?
        public let before: String?
        /// 1 to 500; 100 where absent.
        public let limit: Int?
        public let cursor: String?

        public init(
            tenant: String? = nil, administrator: String? = nil, job: String? = nil, events: [String]? = nil,
            from: String? = nil, before: String? = nil, limit: Int? = nil, cursor: String? = nil
        ) {
            self.tenant = tenant
            self.administrator = administrator
            self.job = job
            self.events = events
            self.from = from
            self.before = before
            self.limit = limit
            self.cursor = cursor
        }

        public static let schema = ObjectSchema(
            .init("tenant", ActorName.label, "Only of this tenant.", required: false),
            .init("administrator", ActorName.label, "Only of the administrator with this e-mail address.", required: false),
            .init("job", .uuid, "Only of this job.", required: false),
            .init(
                "events", .array(of: .oneOf(AuditEvent.events), upTo: AuditEvent.events.count, isSet: true), "Only these.",
                required: false),
            .init("from", .time, "Only from this moment on.", required: false),
            .init("before", .time, "Only before this moment.", required: false),
            .init("limit", .integer(1...maxEvents), "Events on a page.", default: 100),
            .init("cursor", .auditCursor, "nextCursor of the page before.", required: false))
    }

    public struct Result: WireObject {
        public let events: [AuditEvent]
        /// Absent on the last page.
        public let nextCursor: String?

        public init(events: [AuditEvent], nextCursor: String?) {
            self.events = events
            self.nextCursor = nextCursor
        }

        public static let schema = ObjectSchema(
            .init("events", .array(of: .object(AuditEvent.schema), upTo: maxEvents), "The page."),
            .init("nextCursor", .auditCursor, "Absent on the last page.", required: false))
    }

    private static let maxEvents = 500

    public static let summary = "Lists who asked for what and what came of it, newest first."
    public static let details =
        """
        For operators, of the tenants that they may look after; events without a tenant's key are shown to operators of all tenants only. Denials are \
        counted by user and reason: the first is an event at once, those that follow are one event a minute.
        """
    public static let errors: [ErrorKind] = [.permissionDenied, .unavailable]
    public static let examples = [
        Example<Self>(
            "Who has fetched a workbook", .init(job: ExampleValues.jobID, events: ["downloaded"]),
            .init(
                events: [
                    AuditEvent(
                        at: "2026-11-25T09:31:12.004Z", event: "downloaded", tenant: ExampleValues.actor.tenant,
                        administrator: ExampleValues.actor.administrator, job: ExampleValues.jobID,
                        peer: .init(uid: 1_000, gid: 1_000, pid: 4_711), reason: nil, details: .object([:]))
                ], nextCursor: nil))
    ]
}
