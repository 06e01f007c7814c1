/// Puts an export in the queue.
public enum ExportStart: Method {
    public static let name = "export.start"

    public struct Params: ParamObject {
        public let actor: Actor
        /// Disabled administrators too; false where absent.
        public let includeDisabled: Bool?
        /// Sheets with the tenant's profiles, groups and teams; false where absent.
        public let includeReferences: Bool?
        /// 1 to 128 characters; the same key with the same options gives the same job.
        public let idempotencyKey: String?

        public init(
            actor: Actor, includeDisabled: Bool? = nil, includeReferences: Bool? = nil, idempotencyKey: String? = nil
        ) {
            self.actor = actor
            self.includeDisabled = includeDisabled
            self.includeReferences = includeReferences
            self.idempotencyKey = idempotencyKey
        }

        public static let members: [String: (any ParamObject.Type)?] = [
            "actor": Actor.self,
            "includeDisabled": nil,
            "includeReferences": nil,
            "idempotencyKey": nil,
        ]
    }

    public typealias Result = JobReply
}
