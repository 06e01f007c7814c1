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
        "deleted", "held", "paused", "resumed", "drained", "receipt-fetched", "pruned",
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
            "The reason of a denial, failure or failed delivery; on or off for a hold or a drain; for pruned, the day before which the owner removes events.",
            required: false),
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

/// Lists the signed checkpoints of the audit trail.
public enum AuditCheckpoints: Method {
    /// Which checkpoints, and how many.
    public struct Params: WireObject {
        /// The number of the last checkpoint before the page; 0 if absent.
        public let after: Int?
        /// Checkpoints on a page, 1 to 500; 100 if absent.
        public let limit: Int?

        /// An absent parameter means its default.
        public init(after: Int? = nil, limit: Int? = nil) {
            self.after = after
            self.limit = limit
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("after", .count, "The number of the last checkpoint before the page.", default: 0),
            .init("limit", .integer(1...maxCheckpoints), "Checkpoints on a page.", default: 100))
    }

    /// A signed statement about a part of the trail.
    public struct Checkpoint: WireObject, Hashable {
        /// The number of the checkpoint: 1 for the first.
        public let number: Int
        /// A DSSE envelope as JSON, exactly as the table has it. Only a verifier knows whether it is one.
        public let envelope: String

        /// A checkpoint.
        public init(number: Int, envelope: String) {
            self.number = number
            self.envelope = envelope
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("number", .count, "The number of the checkpoint: 1 for the first."),
            .init(
                "envelope", .string(.init(.any, length: 0...4_194_304)),
                "A DSSE envelope as JSON, exactly as the table has it. Only a verifier knows whether it is one."))
    }

    /// One page of checkpoints.
    public struct Result: WireObject {
        /// The checkpoints in the order of their numbers.
        public let checkpoints: [Checkpoint]

        /// One page of checkpoints.
        public init(checkpoints: [Checkpoint]) {
            self.checkpoints = checkpoints
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "checkpoints", .array(of: .object(Checkpoint.schema), upTo: maxCheckpoints),
                "The checkpoints in the order of their numbers. A page with fewer than limit is the last."))
    }

    private static let maxCheckpoints = 500

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "audit.checkpoints", "Lists the signed checkpoints of the audit trail, oldest first.",
        details: """
            For operators of all tenants. A worker with a signing key makes a checkpoint every hour. Each one states the number and the \
            digest of the events of a period, and names the one before. audit.digest returns the same of the events as they are now.
            """,
        errors: [.permissionDenied, .unavailable], isTakenInBatch: false,
        examples: [("No worker has signed yet", .init(after: 1_000_000), .init(checkpoints: []))])
}

/// Returns the digest of the events of a period.
public enum AuditDigest: Method {
    /// Which period.
    public struct Params: WireObject {
        /// The beginning, inclusive: RFC 3339; the beginning of the trail if absent.
        public let from: String?
        /// The end, exclusive: RFC 3339; the end of the trail if absent.
        public let before: String?

        /// A period.
        public init(from: String? = nil, before: String? = nil) {
            self.from = from
            self.before = before
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "from", .time, "The beginning of the period, inclusive. The beginning of the trail if absent.",
                required: false),
            .init("before", .time, "The end of the period, exclusive. The end of the trail if absent.", required: false))
    }

    /// The digest of the events.
    public struct Result: WireObject {
        /// The number of events.
        public let events: Int
        /// The SHA-256 of the events, in hexadecimal.
        public let sha256: String
        /// Whether these are all events of the period. The service reads up to ``maxEvents``.
        public let isComplete: Bool

        /// The digest of some events.
        public init(events: Int, sha256: String, isComplete: Bool) {
            self.events = events
            self.sha256 = sha256
            self.isComplete = isComplete
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("events", .count, "The number of events."),
            .init(
                "sha256", .sha256,
                "The SHA-256 of the fields of the events: id, time in microseconds since 1970, event, job, tenant's key, tenant, administrator's key, administrator, uid, gid, pid, reason, details. A field is its length in bytes, a colon and its bytes; a field without a value is a hyphen; a line feed follows the last field of an event."
            ),
            .init("isComplete", .boolean, "Whether these are all events of the period: the service reads up to 100,000."))
    }

    /// The number of events after which the service stops reading.
    public static let maxEvents = 100_000

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "audit.digest", "Returns the number and the digest of the events of a period.",
        details: """
            For operators of all tenants, to compare the trail with its signed checkpoints. It reads the events themselves, in the order of \
            their times and ids.
            """,
        errors: [.permissionDenied, .unavailable], isTakenInBatch: false,
        examples: [
            (
                "A period without events",
                .init(from: "2001-01-01T00:00:00.000Z", before: "2001-01-01T01:00:00.000Z"),
                .init(
                    events: 0, sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", isComplete: true)
            )
        ])
}
