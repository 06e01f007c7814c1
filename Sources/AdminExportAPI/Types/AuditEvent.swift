/// Something that was asked of the service, or that came of it.
public struct AuditEvent: WireObject, Hashable {
    public let at: String
    public let event: String
    public let tenant: String?
    public let administrator: String?
    public let job: String?
    /// The process that asked; absent for what workers do of themselves, and for denials of more users than are told apart.
    public let peer: CallingProcess?
    public let reason: String?
    public let details: JSONValue

    public struct CallingProcess: WireObject, Hashable {
        public let uid: Int
        public let gid: Int
        public let pid: Int

        public init(uid: Int, gid: Int, pid: Int) {
            self.uid = uid
            self.gid = gid
            self.pid = pid
        }

        public static let schema = ObjectSchema(
            .init("uid", .count, "User id."), .init("gid", .count, "Group id."), .init("pid", .count, "Process id."))
    }

    public init(
        at: String, event: String, tenant: String?, administrator: String?, job: String?, peer: CallingProcess?,
        reason: String?,
        details: JSONValue
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

    public static let events = [
        "requested", "denied", "started", "finished", "downloaded", "undelivered", "cancelled", "failed", "expired",
        "deleted", "held",
        "paused", "resumed", "drained",
    ]

    public static let schema = ObjectSchema(
        .init("at", .time, "When it was written down."), .init("event", .oneOf(events), "What happened."),
        .init("tenant", ActorName.label, "The tenant's slug, as it was or as it was given.", required: false),
        .init(
            "administrator", ActorName.label, "The administrator's e-mail address, as it was or as it was given.",
            required: false),
        .init("job", .uuid, "The job.", required: false),
        .init(
            "peer", .object(CallingProcess.schema),
            "The process that asked, of several denials the first; absent for what workers do, and for denials of many users.",
            required: false),
        .init("reason", .text(upTo: 64), "Why, or in which sense.", required: false),
        .init(
            "details", .object(ObjectSchema()),
            """
            More of it: the options that were requested, the epoch and attempt that started, what a finished export holds; of a denial \
            how many there were (count), within how many seconds before (seconds), and of which methods (methods); of what was not \
            delivered, where it is known, how many bytes the reader took (bytes) and how many there were for it (of).
            """)
    )
}
