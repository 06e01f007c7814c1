/// A process that makes exports.
public struct WorkerStatus: WireObject, Hashable {
    /// New at each start of the process.
    public let id: String
    public let host: String
    public let version: String
    public let startedAt: String
    /// When it was last heard of; it says something every ten seconds.
    public let seenAt: String
    /// Jobs that it runs at a time, at most.
    public let slots: Int
    public let running: Int
    /// It takes no more jobs.
    public let draining: Bool
    public let storage: String

    public init(
        id: String, host: String, version: String, startedAt: String, seenAt: String, slots: Int, running: Int,
        draining: Bool, storage: String
    ) {
        self.id = id
        self.host = host
        self.version = version
        self.startedAt = startedAt
        self.seenAt = seenAt
        self.slots = slots
        self.running = running
        self.draining = draining
        self.storage = storage
    }

    public static let schema = ObjectSchema(
        .init("id", .uuid, "New at each start of the process."), .init("host", .text(upTo: 255), "The machine's name."),
        .init("version", .text(upTo: 64), "Of the program."), .init("startedAt", .time, "When it started."),
        .init("seenAt", .time, "When it was last heard of; it says something every ten seconds."),
        .init("slots", .count, "Jobs that it runs at a time, at most."), .init("running", .count, "Jobs that it runs now."),
        .init("draining", .boolean, "It takes no more jobs."),
        .init(
            "storage", .oneOf(["ok", "full", "failed", "wrong-store"]),
            "How it stands with the archives' disk; it takes no jobs unless it is ok."))
}
