public import Foundation

/// How a console runs.
public struct ConsoleConfiguration: Sendable {
    /// Where browsers, or the proxy before them, connect.
    public enum Address: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// Who says who a visitor is.
    public enum SignIn: Sendable, Equatable {
        /// Visitors choose one of the demo administrators, without a password. For a loopback address alone.
        case demo
        /// A proxy that has signed the visitor in says so in headers that nobody else can set.
        case proxy(ProxyIdentity)
    }

    public struct ProxyIdentity: Sendable, Equatable {
        public enum Tenant: Sendable, Equatable {
            case fixed(String)
            case header(String)
        }

        /// The header with the administrator's e-mail address.
        public var administratorHeader: String
        public var tenant: Tenant
        /// The addresses from which the headers are believed, as ``Peer`` writes them. Over a Unix socket its mode decides.
        public var trustedPeers: Set<String>

        public init(administratorHeader: String, tenant: Tenant, trustedPeers: Set<String> = []) {
            self.administratorHeader = administratorHeader
            self.tenant = tenant
            self.trustedPeers = trustedPeers
        }
    }

    public var address: Address
    public var signIn: SignIn
    /// Names by which browsers may call this console, besides loopback's own where that is where it listens.
    public var hosts: Set<String> = []
    /// The service's socket.
    public var socket: String
    /// A libpq URI or key=value string; may hold a password, so it is never printed.
    public var database: String
    /// 32 bytes or more that sign sessions.
    public var key: Data
    /// Of the Unix socket on which it listens: who may connect may say who they are.
    public var socketMode: mode_t = 0o660
    /// Connections from browsers at a time.
    public var connections = 512

    public init(address: Address, signIn: SignIn, socket: String, database: String, key: Data) {
        self.address = address
        self.signIn = signIn
        self.socket = socket
        self.database = database
        self.key = key
    }

    static let loopback: Set<String> = ["127.0.0.1", "::1", "localhost"]

    /// What must not be, in words for whoever starts the console; nil where all is well.
    public var fault: String? {
        if signIn == .demo {
            switch address {
            case .tcp(let host, _) where Self.loopback.contains(host): break
            default:
                return "--demo-sign-in lets anybody in as anybody, and so takes a loopback address: --listen 127.0.0.1:8080"
            }
        }
        if case .proxy(let proxy) = signIn, case .tcp = address, proxy.trustedPeers.isEmpty {
            return
                "whoever connects from the proxy's address may be anybody: say which with --trusted-proxy, or better let the "
                + "proxy come by a socket, --listen unix:/run/adminexport-console/http.sock"
        }
        return nil
    }
}
