/// Puts an export in the queue.
public enum ExportStart: Method {
    public static let name = "export.start"

    public struct Params: WireObject {
        public let actor: ActorName
        /// Disabled administrators too; false where absent.
        public let includeDisabled: Bool?
        /// Sheets with the tenant's profiles, groups and teams; false where absent.
        public let includeReferences: Bool?
        /// 1 to 128 characters. While the key stands for an export, the same options give that one.
        public let idempotencyKey: String?

        public init(
            actor: ActorName, includeDisabled: Bool? = nil, includeReferences: Bool? = nil, idempotencyKey: String? = nil
        ) {
            self.actor = actor
            self.includeDisabled = includeDisabled
            self.includeReferences = includeReferences
            self.idempotencyKey = idempotencyKey
        }

        public static let schema = ObjectSchema(
            ActorName.property(required: true),
            .init("includeDisabled", .boolean, "Disabled administrators too.", default: false),
            .init(
                "includeReferences", .boolean,
                "Sheets of the tenant's profiles and teams, and of the groups that the actor sees.", default: false),
            .init(
                "idempotencyKey", .text(upTo: 128),
                "The same key with the same options gives the same job, while that waits, runs or has its workbook, and for 48 hours "
                    + "unless the service is configured otherwise; after that, a new one. Keys belong to the tenant and the actor.",
                required: false))
    }

    public struct Result: WireObject {
        public let job: Job
        /// The job is one that the idempotency key has started before.
        public let replayed: Bool

        public init(job: Job, replayed: Bool) {
            self.job = job
            self.replayed = replayed
        }

        /// A service of a version before this one does not tell.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            job = try container.decode(Job.self, forKey: .job)
            replayed = try container.decodeIfPresent(Bool.self, forKey: .replayed) ?? false
        }

        private enum CodingKeys: String, CodingKey {
            case job, replayed
        }

        public static let schema = ObjectSchema(
            .init("job", .component(Job.component), "The job as it stands."),
            .init("replayed", .boolean, "The job is one that the idempotency key has started before."))
    }

    public static func isRepeatable(_ params: Params) -> Bool { params.idempotencyKey != nil }

    public static let summary = "Puts an export in the queue."
    public static let errors: [ErrorKind] = [.permissionDenied, .conflict, .quotaExceeded, .unavailable]
    public static let examples = [
        Example<Self>(
            "An export with nothing special", .init(actor: ExampleValues.actor),
            .init(job: ExampleValues.queued, replayed: false)),
        Example<Self>(
            "One that may safely be sent twice", .init(actor: ExampleValues.actor, idempotencyKey: "report-2026-11-25"),
            .init(job: ExampleValues.queued, replayed: true)),
    ]
}
