public import Foundation

/// The settings of a console.
public struct ConsoleConfiguration: Sendable {
    /// The address on which the console accepts connections from browsers or from a proxy.
    public enum Address: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// How the console identifies users.
    public enum SignIn: Sendable, Equatable {
        /// Users choose one of the demo administrators, without a password. Only on a loopback address.
        case demo
        /// An authenticating proxy sends the identity in headers that clients cannot set.
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
        /// The addresses from which the console accepts the headers, in the form of ``Peer``. For a Unix socket, its mode decides.
        public var trustedPeers: Set<String>

        public init(administratorHeader: String, tenant: Tenant, trustedPeers: Set<String> = []) {
            self.administratorHeader = administratorHeader
            self.tenant = tenant
            self.trustedPeers = trustedPeers
        }
    }

    public var address: Address
    public var signIn: SignIn
    /// Host names by which browsers may call this console. On a loopback address, its names are allowed in addition.
    public var hosts: Set<String> = []
    /// The service's socket.
    public var socket: String
    /// A libpq URI or key=value string. It may contain a password, so the console never prints it.
    public var database: String
    /// 32 bytes or more that sign sessions.
    public var key: Data
    /// The mode of the Unix socket. Every process that may connect can act as any administrator.
    public var socketMode: mode_t = 0o660
    /// The maximum number of concurrent connections from browsers.
    public var connections = 512

    public init(address: Address, signIn: SignIn, socket: String, database: String, key: Data) {
        self.address = address
        self.signIn = signIn
        self.socket = socket
        self.database = database
        self.key = key
    }

    static let loopback: Set<String> = ["127.0.0.1", "::1", "localhost"]

    /// A message about settings that are not allowed together; nil if there are none.
    public var fault: String? {
        if signIn == .demo {
            switch address {
            case .tcp(let host, _) where Self.loopback.contains(host): break
            default:
                return "--demo-sign-in needs no password and therefore requires a loopback address: --listen 127.0.0.1:8080"
            }
        }
        if case .proxy(let proxy) = signIn, case .tcp = address, proxy.trustedPeers.isEmpty {
            return
                "--identity-header over TCP requires the address of the proxy: --trusted-proxy ADDRESS. A Unix socket is safer: "
                + "--listen unix:/run/adminexport-console/http.sock"
        }
        return nil
    }
}
