/// Returns the service's version and limits, and the caller's grants.
public enum ServiceInfo: Method {
    /// None.
    public typealias Params = NoMembers

    /// The service and the caller.
    public struct Result: WireObject {
        /// `adminexport`.
        public let name: String
        /// The version of the service.
        public let version: String
        /// The version of the protocol.
        public let protocolVersion: Int
        /// The limits that apply to this connection.
        public let limits: Limits
        /// What this version of the protocol has; see ``ServiceInfo/capabilities``.
        public let capabilities: [String]
        /// What actors whose scope is groups see of other groups; nil from a service of an earlier version, which shows their names.
        public let otherGroups: OtherGroups?
        /// The further columns that the service is configured to export; nil from a service of an earlier version, which has none.
        public let attributes: [Attribute]?
        /// What an absent `includeAbout` of ``ExportStart`` means; nil from a service of an earlier version.
        public let includeAbout: Bool?
        /// The public keys of the installation, for receipts; nil from a service of an earlier version, which makes none.
        public let signingKeys: [SigningKey]?
        /// The caller, as the service sees it.
        public let caller: Caller

        /// A result with these members.
        public init(
            name: String, version: String, protocolVersion: Int, limits: Limits, capabilities: [String],
            otherGroups: OtherGroups?,
            attributes: [Attribute]?, includeAbout: Bool?, signingKeys: [SigningKey]?, caller: Caller
        ) {
            self.name = name
            self.version = version
            self.protocolVersion = protocolVersion
            self.limits = limits
            self.capabilities = capabilities
            self.otherGroups = otherGroups
            self.attributes = attributes
            self.includeAbout = includeAbout
            self.signingKeys = signingKeys
            self.caller = caller
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("name", .text, "adminexport"), .init("version", .text, "The version of the service."),
            .init("protocol", .count, "The version of the protocol."),
            .init("limits", .object(Limits.schema), "The limits that apply to this connection."),
            .init(
                "capabilities", .array(of: .text, upTo: 65_536),
                "The optional features of the protocol that this version supports."),
            .init(
                "otherGroups", .oneOf(OtherGroups.allCases.map(\.rawValue)),
                "Whether an actor whose scope is groups sees the names of other groups. Accounts in the scope may also belong to such groups. A console must apply this setting."
            ),
            .init(
                "attributes", .array(of: .object(Attribute.schema), upTo: 1_000),
                "All further columns that the configuration declares, in their order, including those that an actor may not see. A console that lists accounts can show those whose permission the profile of the actor has."
            ),
            .init("includeAbout", .boolean, "The value of includeAbout in export.start if a caller omits it."),
            .init(
                "signingKeys", .array(of: .object(SigningKey.schema), upTo: 1_000),
                "The public keys of the installation with which receipts are verified, including keys that sign no more. Without an active key, workbooks get no receipt."
            ),
            .init("caller", .object(Caller.schema), "The caller, as the service sees it."))

        private enum CodingKeys: String, CodingKey {
            case name, version, limits, capabilities, otherGroups, attributes, includeAbout, signingKeys, caller
            case protocolVersion = "protocol"
        }
    }

    /// What an actor whose scope is groups sees of the other groups of the tenant.
    public enum OtherGroups: String, Codable, Hashable, Sendable, CaseIterable {
        /// Their names, in the rows of accounts.
        case show
        /// Only their number.
        case hide
    }

    /// A public key with which receipts are verified.
    public struct SigningKey: WireObject, Hashable {
        /// Whether signatures by the key count.
        public enum Status: String, Codable, Hashable, Sendable, CaseIterable {
            /// Workers sign with the key.
            case active
            /// Workers no longer sign with the key. Its signatures remain valid.
            case retired
            /// Somebody else may have the private key. No receipt that it has signed is valid.
            case revoked
        }

        /// The SHA-256 of the key as SubjectPublicKeyInfo in DER, in hexadecimal.
        public let id: String
        /// Whether signatures by the key count.
        public let status: Status
        /// A file for verifiers: the key as SubjectPublicKeyInfo in PEM format (RFC 8410), with a line for its status.
        public let publicKey: String

        /// A key with this status.
        public init(id: String, status: Status, publicKey: String) {
            self.id = id
            self.status = status
            self.publicKey = publicKey
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("id", .sha256, "The SHA-256 of the key as SubjectPublicKeyInfo in DER."),
            .init(
                "status", .oneOf(Status.allCases.map(\.rawValue)),
                "active: workers sign with the key. retired: workers no longer sign with it; its signatures remain valid. revoked: no receipt that it has signed is valid."
            ),
            .init(
                "publicKey", .text,
                "A file for verifiers: the key as SubjectPublicKeyInfo in PEM format (RFC 8410), with the line Status before it."
            ))
    }

    static let exampleKey = SigningKey(
        id: "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f", status: .active,
        publicKey:
            "Status: active\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
    )

    /// A further column of exports.
    public struct Attribute: WireObject, Hashable {
        /// The type of the values.
        public enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
            /// A text.
            case text
            /// A day.
            case date
            /// A time in the tenant's time zone.
            case datetime
            /// True or false.
            case boolean
            /// A list of texts.
            case list
        }

        /// The column of `directory.administrator`.
        public let column: String
        /// The header of the column.
        public let title: String
        /// The type of the values.
        public let type: Kind
        /// The permission that an actor's profile needs; nil if every actor who exports sees the column.
        public let permission: String?

        /// A further column.
        public init(column: String, title: String, type: Kind, permission: String? = nil) {
            self.column = column
            self.title = title
            self.type = type
            self.permission = permission
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("column", .text(upTo: 63), "The column of directory.administrator."),
            .init("title", .text(upTo: 255), "The header of the column."),
            .init("type", .oneOf(Kind.allCases.map(\.rawValue)), "The type of the values."),
            .init(
                "permission", .text,
                "The permission that an actor's profile needs to see the column. Absent if every actor sees it.",
                required: false))
    }

    /// The limits of the service and of a connection. The initial values are the defaults of the configuration.
    public struct Limits: WireObject, Hashable {
        /// Bytes of a line from the caller.
        public var lineBytes = 1_048_576
        /// Levels of arrays and objects in a line.
        public var nesting = 32
        /// Requests in a batch.
        public var batch = 32
        /// Bytes of the replies to a batch. After that, the service does not run the rest of the batch.
        public var batchReplyBytes = 1_048_576
        /// Connections of all callers.
        public var connections = 128
        /// Connections of one user.
        public var connectionsPerUser = 32
        /// Bytes of unanswered requests and unread replies of all callers.
        public var bytes = 134_217_728
        /// The same of one user.
        public var bytesPerUser = 50_331_648
        /// The same of one connection.
        public var bytesPerConnection = 8_388_608
        /// Requests of a connection that run at a time.
        public var inFlight = 32
        /// Requests of a connection that wait to run. The service refuses further requests.
        public var parked = 32
        /// Subscriptions of a connection.
        public var subscriptions = 16
        /// Pipes of ``ExportOpen`` that the service fills at a time, of all callers.
        public var transfers = 64
        /// The same of one user.
        public var transfersPerUser = 16
        /// Bytes of unread output at which the service stops reading from the connection.
        public var outputBytes = 262_144
        /// The time in milliseconds within which a line must be complete after its first byte.
        public var partialLineMs = 10_000
        /// Milliseconds without reading, while output waits, after which the connection ends.
        public var unreadOutputMs = 30_000
        /// Bytes that ``ExportRead`` gives at most.
        public var readBytes = ExportRead.maxLength
        /// Jobs of a tenant that run at a time.
        public var runningPerTenant = 2
        /// Jobs of a tenant that wait in the queue.
        public var queuedPerTenant = 16

        /// The defaults.
        public init() {}

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("lineBytes", .count, "The maximum length of a request line, in bytes."),
            .init("nesting", .count, "The maximum depth of nested arrays and objects in a line."),
            .init("batch", .count, "The maximum number of requests in a batch."),
            .init(
                "batchReplyBytes", .count,
                "The maximum size of the replies to a batch, in bytes. Beyond it, the service does not run the rest of the batch."
            ),
            .init("connections", .count, "The maximum number of connections of all callers."),
            .init("connectionsPerUser", .count, "The maximum number of connections of one user."),
            .init("bytes", .count, "The maximum number of bytes of unanswered requests and unread replies of all callers."),
            .init("bytesPerUser", .count, "The same limit for one user."),
            .init("bytesPerConnection", .count, "The same limit for one connection."),
            .init("inFlight", .count, "The maximum number of requests of a connection that run at a time."),
            .init(
                "parked", .count,
                "The maximum number of requests of a connection that wait to run. The service refuses further requests."),
            .init("subscriptions", .count, "The maximum number of subscriptions of a connection."),
            .init(
                "transfers", .count,
                "The maximum number of pipes of export.open that the service fills at a time, for all callers."),
            .init("transfersPerUser", .count, "The same limit for one user."),
            .init(
                "outputBytes", .count,
                "The number of bytes of unread output above which the service does not read from the connection."),
            .init(
                "partialLineMs", .count,
                "The time in milliseconds within which a line must be complete after its first byte. Otherwise, the connection ends."
            ),
            .init(
                "unreadOutputMs", .count,
                "The time in milliseconds after which the connection ends if the caller reads nothing while output waits."),
            .init("readBytes", .count, "The maximum number of bytes that export.read returns."),
            .init("runningPerTenant", .count, "The maximum number of jobs of a tenant that run at a time."),
            .init("queuedPerTenant", .count, "The maximum number of jobs of a tenant that wait in the queue."))
    }

    /// The process that calls, and what the configuration grants it.
    public struct Caller: WireObject, Hashable {
        /// The user id that the process had when it connected.
        public let uid: Int
        /// The group id that the process had when it connected.
        public let gid: Int
        /// All groups of the process, `gid` among them.
        public let groups: [Int]
        /// What the caller may do; empty if nothing.
        public let grants: [Grant]

        /// One grant, as all entries of `callers` in the configuration give it together.
        public struct Grant: WireObject, Hashable {
            /// `export` or `operator`.
            public let grant: String
            /// The tenants of the grant by slug, or `*` for all tenants.
            public let tenants: [String]
            /// The tenants that the configuration names by key; nil if it names none by key.
            public let keys: [String]?

            /// A grant for these tenants.
            public init(grant: String, tenants: [String], keys: [String]? = nil) {
                self.grant = grant
                self.tenants = tenants
                self.keys = keys
            }

            /// The members on the wire.
            public static let schema = ObjectSchema(
                .init("grant", .oneOf(["export", "operator"]), "What the caller may do."),
                .init(
                    "tenants", .array(of: .text, upTo: 65_536), "The tenants of the grant by slug, or * for all tenants."),
                .init(
                    "keys", .array(of: .text, upTo: 65_536),
                    "Further tenants of the grant by key. Absent if the configuration names none by key.", required: false))
        }

        /// A caller with these ids and grants.
        public init(uid: Int, gid: Int, groups: [Int], grants: [Grant]) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
            self.grants = grants
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("uid", .count, "The user id that the process had when it connected."),
            .init("gid", .count, "The group id that the process had when it connected."),
            .init("groups", .array(of: .count, upTo: 65_537), "All groups of the process."),
            .init(
                "grants", .array(of: .object(Grant.schema), upTo: 16),
                "What the caller may do. Empty if the caller has no grants."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.info", "Returns the service's version and limits, and the caller's grants.",
        examples: [
            (
                "A caller that may export for every tenant", NoMembers(),
                .init(
                    name: "adminexport", version: "0.1.0", protocolVersion: 1, limits: Limits(), capabilities: capabilities,
                    otherGroups: .show,
                    attributes: [
                        Attribute(
                            column: "last_sign_in", title: "Last sign-in", type: .datetime, permission: "security.view")
                    ],
                    includeAbout: false, signingKeys: [exampleKey],
                    caller: Caller(uid: 1_000, gid: 1_000, groups: [1_000], grants: [.init(grant: "export", tenants: ["*"])])
                )
            )
        ])

    /// What this version of the protocol has.
    public static let capabilities = [
        "batch", "cancel-request", "discover", "half-close", "open-identity", "open-zstd", "receipts",
        "watch",
    ]
}

/// Reports whether callers can start exports and whether workers can make them.
public enum ServiceHealth: Method {
    /// None.
    public typealias Params = NoMembers

    /// The largest number of directory faults in a result.
    public static let maxFaults = 20

    /// The state of the service and of what it needs.
    public struct Result: WireObject {
        /// Whether the service works.
        public enum Status: String, Codable, Sendable {
            /// Everything works.
            case ok
            /// A fault prevents the service from making or delivering exports.
            case degraded
            /// The database does not answer.
            case unavailable
        }

        /// Whether the service works.
        public var status: Status
        /// `ok`, `unavailable`, or what is missing in the database.
        public var database: String
        /// Jobs that wait. Nil without a database, as are the next eight members.
        public var queued: Int?
        /// Jobs that run.
        public var running: Int?
        /// Milliseconds that the oldest queued job has waited; nil if no job waits.
        public var oldestQueuedMs: Int?
        /// Workers that reported within the last 30 seconds.
        public var workers: Int?
        /// Jobs that those workers can run at a time.
        public var slots: Int?
        /// The number of these workers that are drained.
        public var draining: Int?
        /// Whether the queue is paused: no worker takes a job until the queue is resumed.
        public var paused: Bool?
        /// The version of the database's schema.
        public var schemaVersion: Int?
        /// Free bytes on the disk of the archives.
        public var freeBytes: Int?
        /// `ok`, or what is wrong with the archives.
        public var storage: String
        /// `ok`, or the first fault of the directory of administrators; nil from a service of an earlier version.
        public var directory: String?
        /// The faults of the directory, ``maxFaults`` at most; nil if there are none.
        public var directoryFaults: [DirectoryFault]?
        /// Operations on archives that have not returned for ten seconds: their disk hangs.
        public var stuckFileOperations: Int?

        /// A result with the members that do not depend on a database. The others are nil.
        public init(status: Status, database: String, storage: String, stuckFileOperations: Int? = nil) {
            self.status = status
            self.database = database
            self.storage = storage
            self.stuckFileOperations = stuckFileOperations
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "status", .oneOf(["ok", "degraded", "unavailable"]),
                """
                degraded: a fault prevents the service from making or delivering exports. unavailable: the database does not answer.
                """),
            .init("database", .text, "ok, unavailable, or what is missing in the database."),
            .init(
                "queued", .count,
                "The number of queued jobs. Absent if the database does not answer, as are freeBytes and all members about jobs, workers and the queue.",
                required: false),
            .init("running", .count, "Jobs that run.", required: false),
            .init(
                "oldestQueuedMs", .count, "Milliseconds that the oldest queued job has waited. Absent if no job waits.",
                required: false),
            .init("workers", .count, "The number of workers that reported within the last 30 seconds.", required: false),
            .init("slots", .count, "The number of jobs that these workers can run at a time.", required: false),
            .init("draining", .count, "The number of these workers that are drained.", required: false),
            .init("paused", .boolean, "Whether an operator has paused the queue.", required: false),
            .init("schemaVersion", .count, "The version of the database's schema.", required: false),
            .init("freeBytes", .count, "Free bytes on the disk of the archives.", required: false),
            .init("storage", .text, "ok, or what is wrong with the archives."),
            .init(
                "directory", .text,
                "ok, or the first fault of the directory of administrators. Absent if the database does not answer.",
                required: false),
            .init(
                "directoryFaults", .array(of: .object(DirectoryFault.schema), upTo: maxFaults),
                "The faults of the directory. Absent if there are none.", required: false),
            .init(
                "stuckFileOperations", .count,
                "Operations on archives that have not returned for ten seconds: their disk hangs.", required: false))
    }

    /// A place where the directory of administrators violates its contract.
    public struct DirectoryFault: WireObject, Hashable {
        /// What is wrong, with the relation and the column.
        public let problem: String
        /// What to do: a statement, if one statement corrects it.
        public let remedy: String

        /// A fault and its remedy.
        public init(problem: String, remedy: String) {
            self.problem = problem
            self.remedy = remedy
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("problem", .text, "What is wrong, with the relation and the column."),
            .init("remedy", .text, "What to do: a statement, if one statement corrects it."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.health", "Reports whether callers can start exports and whether workers can make them.",
        examples: [("A service that works", NoMembers(), working)])

    private static let working = {
        var health = Result(status: .ok, database: "ok", storage: "ok", stuckFileOperations: 0)
        (health.queued, health.running, health.workers, health.slots, health.draining) = (0, 0, 1, 1, 0)
        (health.paused, health.schemaVersion, health.freeBytes, health.directory) = (false, 4, 41_000_000_000, "ok")
        return health
    }()
}

/// Returns the service's metrics as text.
public enum ServiceMetrics: Method {
    /// None.
    public typealias Params = NoMembers

    /// The metrics as text.
    public struct Result: WireObject {
        /// The media type of the body.
        public let contentType: String
        /// The metrics in the OpenMetrics text format.
        public let body: String

        /// A text and its media type.
        public init(contentType: String, body: String) {
            self.contentType = contentType
            self.body = body
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("contentType", .text, "The media type of the body."),
            .init("body", .string(.init(.any, length: 0...16_777_216)), "The metrics in the OpenMetrics text format."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "service.metrics", "Returns the service's metrics in the OpenMetrics text format.",
        details: """
            The metrics of the queue and of the workers are about the whole installation, the others about the process that answers. If \
            the database does not answer, the result contains only the others, and adminexport_database_up is 0. No metric is about a \
            single tenant.
            """,
        examples: [
            (
                "The beginning of the text", NoMembers(),
                .init(
                    contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                    body: """
                        # TYPE adminexport_database_up gauge
                        # HELP adminexport_database_up Whether the database answers.
                        adminexport_database_up 1
                        # EOF

                        """)
            )
        ])
}

/// Returns the description of the protocol.
public enum RPCDiscover: Method {
    /// None.
    public typealias Params = NoMembers

    /// An OpenRPC document.
    public struct Result: WireObject {
        /// The document; see ``OpenRPC/document(version:)``.
        public let document: JSONValue

        /// The result for a document.
        public init(_ document: JSONValue) {
            self.document = document
        }

        /// Decodes the whole result as the document.
        public init(from decoder: any Decoder) throws {
            document = try JSONValue(from: decoder)
        }

        /// Encodes the document as the whole result.
        public func encode(to encoder: any Encoder) throws {
            try document.encode(to: encoder)
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("openrpc", .text, "The version of OpenRPC."),
            .init("info", .object(ObjectSchema()), "The name and the version of the service."),
            .init("methods", .array(of: .object(ObjectSchema()), upTo: 1_000), "The methods."),
            .init("components", .object(ObjectSchema()), "Schemas and errors that the methods refer to."),
            .init("x-notifications", .array(of: .object(ObjectSchema()), upTo: 1_000), "The notifications."))
    }

    /// See ``Method/description``. It has no example: the document cannot contain itself.
    public static let description = MethodDescription(
        Self.self, "rpc.discover", "Describes the methods, their parameters, results, examples and errors (OpenRPC).",
        examples: [])
}
