/// Tells what the service is, what its limits are, and who the caller is to it.
public enum ServiceInfo: Method {
    public static let name = "service.info"

    public typealias Params = NoParams

    public struct Result: Codable, Sendable {
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

        private enum CodingKeys: String, CodingKey {
            case name, version, limits, capabilities, caller
            case protocolVersion = "protocol"
        }
    }

    public struct Limits: Codable, Hashable, Sendable {
        public var lineBytes = 1_048_576
        public var nesting = 32
        public var batch = 32
        public var connections = 128
        public var connectionsPerUser = 32
        public var inFlight = 32
        public var parked = 32
        public var partialLineMs = 10_000
        public var unreadOutputMs = 30_000
        public var readBytes = ExportRead.longest
        public var runningPerTenant = 2
        public var queuedPerTenant = 16

        public init() {}
    }

    public struct Caller: Codable, Hashable, Sendable {
        public let uid: Int
        public let gid: Int
        public let grants: [String]
        /// Slugs, or `*` for every tenant.
        public let tenants: [String]

        public init(uid: Int, gid: Int, grants: [String], tenants: [String]) {
            self.uid = uid
            self.gid = gid
            self.grants = grants
            self.tenants = tenants
        }
    }
}
