/// An event of the audit trail: something that the service was asked for, or a result of it.
public struct AuditEvent: WireObject, Hashable {
    /// When the event was recorded: RFC 3339, UTC.
    public let at: String
    /// What happened: one of ``events``.
    public let event: String
    /// The tenant's slug at that time, or as the caller gave it.
    public let tenant: String?
    /// The administrator's e-mail address at that time, or as the caller gave it.
    public let administrator: String?
    /// The job's id.
    public let job: String?
    /// The process that asked. Nil for what workers do, and for a count of denials of many users.
    public let peer: CallingProcess?
    /// Why it happened, or in which way.
    public let reason: String?
    /// Further facts, as an object. Its members depend on the event.
    public let details: JSONValue

    /// A process that called the service, as the kernel knew it when it connected.
    public struct CallingProcess: WireObject, Hashable {
        /// The user id.
        public let uid: Int
        /// The group id.
        public let gid: Int
        /// The process id.
        public let pid: Int

        /// A process with these ids.
        public init(uid: Int, gid: Int, pid: Int) {
            self.uid = uid
            self.gid = gid
            self.pid = pid
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("uid", .count, "User id."), .init("gid", .count, "Group id."), .init("pid", .count, "Process id."))
    }

    /// An event with these members.
    public init(
        at: String, event: String, tenant: String?, administrator: String?, job: String?, peer: CallingProcess?,
        reason: String?, details: JSONValue
    ) {
        self.at = at
        self.event = event
        self.tenant = tenant
        self.administrator = administrator
        self.job = job
        self.peer = peer
        self.reason = reason
        self.details = details
    }

    /// The names of all events.
    public static let events = [
        "requested", "denied", "started", "finished", "downloaded", "undelivered", "cancelled", "failed", "expired",
        "deleted", "held", "paused", "resumed", "drained", "receipt-fetched",
    ]

    /// The members on the wire.
    public static let schema = ObjectSchema(
        .init("at", .time, "When the event was recorded."), .init("event", .oneOf(events), "What happened."),
        .init("tenant", ActorName.label, "The tenant's slug at that time, or as the caller gave it.", required: false),
        .init(
            "administrator", ActorName.label, "The administrator's e-mail address at that time, or as the caller gave it.",
            required: false),
        .init("job", .uuid, "The job's id.", required: false),
        .init(
            "peer", .object(CallingProcess.schema),
            "The process that called; for a count of denials, the process of the first denial. Absent for events of workers, and for denials of many users.",
            required: false),
        .init(
            "reason", .text(upTo: 64),
            "The reason of a denial, failure or failed delivery; on or off for a hold or a drain.", required: false),
        .init(
            "details", .object(ObjectSchema()),
            """
            Members that depend on the event. requested: the options. started: epoch and attempt. finished: the contents of the workbook. \
            denied, for a count of denials: count, methods, and seconds, the time from the first of them to at. undelivered, if known: \
            bytes, the number that the reader took, and of, the number that it could have taken.
            """))
}

/// Lists the audit trail.
public enum AuditList: Method {
    /// Which events, and how many.
    public struct Params: WireObject {
        /// Only events of the tenant with this slug.
        public let tenant: String?
        /// Only events of the administrator with this e-mail address.
        public let administrator: String?
        /// Only events of the job with this id.
        public let job: String?
        /// Only these events; see ``AuditEvent/events``.
        public let events: [String]?
        /// Only events at or after this time: RFC 3339.
        public let from: String?
        /// Only events before this time: RFC 3339.
        public let before: String?
        /// Events on a page, 1 to 500; 100 if absent.
        public let limit: Int?
        /// The `nextCursor` of the page before; the first page if absent.
        public let cursor: String?

        /// An absent parameter means its default, or no restriction.
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

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("tenant", ActorName.label, "Only events of this tenant.", required: false),
            .init(
                "administrator", ActorName.label, "Only events of the administrator with this e-mail address.",
                required: false),
            .init("job", .uuid, "Only events of this job.", required: false),
            .init(
                "events", .array(of: .oneOf(AuditEvent.events), upTo: AuditEvent.events.count, isSet: true),
                "Only these events.", required: false),
            .init("from", .time, "Only events at or after this time.", required: false),
            .init("before", .time, "Only events before this time.", required: false),
            .init("limit", .integer(1...maxEvents), "Events on a page.", default: 100),
            .init("cursor", .auditCursor, "The nextCursor of the page before.", required: false))
    }

    /// One page of events.
    public struct Result: WireObject {
        /// The events of the page, newest first.
        public let events: [AuditEvent]
        /// The cursor of the next page; nil on the last page.
        public let nextCursor: String?

        /// One page of events.
        public init(events: [AuditEvent], nextCursor: String?) {
            self.events = events
            self.nextCursor = nextCursor
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("events", .array(of: .object(AuditEvent.schema), upTo: maxEvents), "The events of the page."),
            .init("nextCursor", .auditCursor, "The cursor of the next page. Absent on the last page.", required: false))
    }

    private static let maxEvents = 500

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "audit.list", "Lists the events of the audit trail, newest first.",
        details: """
            For operators, who see the events of the tenants of their grant. Only operators of all tenants see events without a tenant's \
            key. The service counts denials by user and reason: it records the first at once, and those that follow as one event a minute.
            """,
        errors: [.permissionDenied, .unavailable],
        examples: [
            (
                "Who downloaded a workbook", .init(job: ExampleValues.jobID, events: ["downloaded"]),
                .init(
                    events: [
                        AuditEvent(
                            at: "2026-11-25T09:31:12.004Z", event: "downloaded", tenant: ExampleValues.actor.tenant,
                            administrator: ExampleValues.actor.administrator, job: ExampleValues.jobID,
                            peer: .init(uid: 1_000, gid: 1_000, pid: 4_711), reason: nil, details: .object([:]))
                    ], nextCursor: nil)
            )
        ])
}
