/// Tells what the service is, what its limits are, and who the caller is to it.
public enum ServiceInfo: Method {
    public static let name = "service.info"

    public typealias Params = NoMembers

    public struct Result: WireObject {
        public let name: String
        public let version: String
        /// Rises when the wire changes in a way that callers can notice.
        public let protocolVersion: Int
        public let limits: Limits
        public let capabilities: [String]
        public let caller: Caller

        public init(
            name: String, version: String, protocolVersion: Int, limits: Limits, capabilities: [String], caller: Caller
        ) {
            self.name = name
            self.version = version
            self.protocolVersion = protocolVersion
            self.limits = limits
            self.capabilities = capabilities
            self.caller = caller
        }

        public static let schema = ObjectSchema(
            .init("name", .text, "adminexport"), .init("version", .text, "The service's version."),
            .init("protocol", .count, "Rises when the wire changes in a way that callers can notice."),
            .init("limits", .object(Limits.schema), "The limits in force."),
            .init("capabilities", .array(of: .text, upTo: 65_536), "What a caller may count on."),
            .init("caller", .object(Caller.schema), "Who the caller is to the service."))

        private enum CodingKeys: String, CodingKey {
            case name, version, limits, capabilities, caller
            case protocolVersion = "protocol"
        }
    }

    public struct Limits: WireObject, Hashable {
        public var lineBytes = 1_048_576
        public var nesting = 32
        public var batch = 32
        public var batchReplyBytes = 1_048_576
        public var connections = 128
        public var connectionsPerUser = 32
        public var bytes = 134_217_728
        public var bytesPerUser = 50_331_648
        public var bytesPerConnection = 8_388_608
        public var inFlight = 32
        public var parked = 32
        public var subscriptions = 16
        public var transfers = 64
        public var transfersPerUser = 16
        public var outputBytes = 262_144
        public var partialLineMs = 10_000
        public var unreadOutputMs = 30_000
        public var readBytes = ExportRead.longest
        public var runningPerTenant = 2
        public var queuedPerTenant = 16

        public init() {}

        public static let schema = ObjectSchema(
            .init("lineBytes", .count, "Bytes of a line from the caller."),
            .init("nesting", .count, "How deep arrays and objects may nest."),
            .init("batch", .count, "Requests in a batch."),
            .init("batchReplyBytes", .count, "Bytes of a batch's replies, after which what is left of it is not run."),
            .init("connections", .count, "Connections of all callers."),
            .init("connectionsPerUser", .count, "Connections of one user."),
            .init("bytes", .count, "Bytes of requests without an answer and of replies that are not read, of all callers."),
            .init("bytesPerUser", .count, "Those of one user."),
            .init("bytesPerConnection", .count, "Those of a connection."),
            .init("inFlight", .count, "Requests of a connection that run at a time."),
            .init("parked", .count, "Requests of a connection that wait for those; one more is refused."),
            .init("subscriptions", .count, "Subscriptions of a connection."),
            .init("transfers", .count, "Pipes of export.open that are being filled, of all callers."),
            .init("transfersPerUser", .count, "Those of one user."),
            .init("outputBytes", .count, "While more than this waits for the caller, nothing is read from it."),
            .init("partialLineMs", .count, "A line that has begun is complete within this time, or the connection ends."),
            .init("unreadOutputMs", .count, "A caller that reads nothing for this time while output waits is dropped."),
            .init("readBytes", .count, "Bytes that export.read gives at most."),
            .init("runningPerTenant", .count, "Jobs of a tenant that run at a time."),
            .init("queuedPerTenant", .count, "Jobs of a tenant that wait."))
    }

    public struct Caller: WireObject, Hashable {
        public let uid: Int
        public let gid: Int
        /// The groups that the caller's process has, its first among them.
        public let groups: [Int]
        public let grants: [Grant]

        /// What some entry of the configuration's callers lets this caller do.
        public struct Grant: WireObject, Hashable {
            public let grant: String
            /// Slugs, or `*` for every tenant.
            public let tenants: [String]
            /// Tenants that the configuration names by key; absent where it names none so.
            public let keys: [String]?

            public init(grant: String, tenants: [String], keys: [String]? = nil) {
                self.grant = grant
                self.tenants = tenants
                self.keys = keys
            }

            public static let schema = ObjectSchema(
                .init("grant", .oneOf(["export", "operator"]), "What the caller may do."),
                .init("tenants", .array(of: .text, upTo: 65_536), "For which tenants: slugs, or * for every one."),
                .init(
                    "keys", .array(of: .text, upTo: 65_536),
                    "For which tenants besides: those with these keys; absent where none is named so.", required: false))
        }

        public init(uid: Int, gid: Int, groups: [Int], grants: [Grant]) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
            self.grants = grants
        }

        public static let schema = ObjectSchema(
            .init("uid", .count, "The user id that the caller's process had when it connected."),
            .init("gid", .count, "Its group id."), .init("groups", .array(of: .count, upTo: 65_537), "All of its groups."),
            .init("grants", .array(of: .object(Grant.schema), upTo: 16), "What it may do; nothing where this is empty."))
    }

    public static let summary = "Tells what the service is, what its limits are, and who the caller is to it."
    public static let examples = [
        Example<Self>(
            "A caller that may export for every tenant", NoMembers(),
            .init(
                name: "adminexport", version: "0.1.0", protocolVersion: 1, limits: Limits(), capabilities: capabilities,
                caller: Caller(uid: 1_000, gid: 1_000, groups: [1_000], grants: [.init(grant: "export", tenants: ["*"])])))
    ]

    /// What this version's wire has.
    public static let capabilities = [
        "batch", "cancel-request", "discover", "half-close", "open-identity", "open-zstd", "watch",
    ]
}
