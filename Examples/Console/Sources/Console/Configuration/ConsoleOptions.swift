internal import AdminExportAPI
import AdminExportClient
public import ArgumentParser
public import Foundation

/// The options and environment variables of the program.
public struct ConsoleOptions: ParsableArguments {
    @Option(help: "HOST:PORT or unix:PATH. With port 0, the program chooses a free port and prints the address.")
    var listen = "127.0.0.1:8080"

    @Option(help: "The service's socket (ADMINEXPORT_SOCKET).")
    var socket: String?

    @Flag(help: "Let users choose an administrator, without a password. Only for demonstrations on a loopback address.")
    var demoSignIn = false

    @Option(help: "The header in which an authenticating proxy sends the administrator's e-mail address.")
    var identityHeader: String?

    @Option(help: "With --identity-header: the tenant of all users.")
    var tenant: String?

    @Option(help: "With --identity-header: the header in which the proxy sends the tenant's slug.")
    var tenantHeader: String?

    @Option(
        help: """
            With --identity-header: an IP address from which the console accepts the header; may be repeated. Every process there can \
            act as any administrator.
            """)
    var trustedProxy: [String] = []

    @Option(help: "The mode of the socket, with --listen unix:PATH.")
    var socketMode = "0660"

    @Option(help: "A host name by which browsers may call this console; may be repeated.")
    var host: [String] = []

    @Option(help: "A file of 32 or more random bytes that sign sessions. Without it, sessions end when the program stops.")
    var keyFile: String?

    public init() {}

    public func validate() throws {
        guard demoSignIn != (identityHeader != nil) else {
            throw ValidationError(
                "Choose how users sign in: --identity-header NAME behind a proxy, or --demo-sign-in, but not both.")
        }
        if identityHeader == nil, tenant != nil || tenantHeader != nil || !trustedProxy.isEmpty {
            throw ValidationError("--tenant, --tenant-header and --trusted-proxy require --identity-header.")
        }
        if identityHeader != nil, (tenant == nil) == (tenantHeader == nil) {
            throw ValidationError("--identity-header requires either --tenant SLUG or --tenant-header NAME.")
        }
        guard let mode = mode_t(socketMode, radix: 8), mode & ~0o777 == 0 else {
            throw ValidationError("--socket-mode must be an octal number of at most 0777, such as 0660.")
        }
        if let wrong = trustedProxy.first(where: { Peer.canonical($0) == nil }) {
            throw ValidationError("\(wrong) is not an IP address. Repeat --trusted-proxy to name several addresses.")
        }
        for name in [identityHeader, tenantHeader].compactMap({ $0 }) where name.wholeMatch(of: /[A-Za-z0-9-]+/) == nil {
            throw ValidationError("\(name) is not a valid header name. A name contains letters, digits and hyphens.")
        }
    }

    /// - Throws: `ValidationError` that says what to change.
    public func configuration(environment: [String: String] = ProcessInfo.processInfo.environment) throws
        -> ConsoleConfiguration
    {
        guard let database = environment["ADMINEXPORT_CONSOLE_DATABASE_URL"] else {
            throw ValidationError(
                "Set ADMINEXPORT_CONSOLE_DATABASE_URL to the directory's database, with the login of console-login.sql.")
        }
        var configuration = ConsoleConfiguration(
            address: try address(), signIn: signIn,
            socket: socket ?? environment["ADMINEXPORT_SOCKET"] ?? Client.defaultSocket, database: database, key: try key())
        configuration.socketMode = mode_t(socketMode, radix: 8) ?? configuration.socketMode
        configuration.hosts = Set(host.map { $0.lowercased() })
        if let fault = configuration.fault { throw ValidationError(fault) }
        return configuration
    }

    private var signIn: ConsoleConfiguration.SignIn {
        guard let identityHeader else { return .demo }
        let named = tenant.map { ConsoleConfiguration.ProxyIdentity.Tenant.fixed($0) } ?? .header(tenantHeader ?? "")
        var proxy = ConsoleConfiguration.ProxyIdentity(administratorHeader: identityHeader, tenant: named)
        proxy.trustedPeers = Set(trustedProxy.compactMap { Peer.canonical($0) })
        return .proxy(proxy)
    }

    private func address() throws -> ConsoleConfiguration.Address {
        if listen.hasPrefix("unix:/") { return .unix(path: String(listen.dropFirst("unix:".count))) }
        guard let match = listen.wholeMatch(of: /(?:\[(?<six>[0-9a-fA-F:]+)\]|(?<host>[^:\[\]]+)):(?<port>\d{1,5})/),
            let port = UInt16(match.port), let host = match.six ?? match.host
        else {
            throw ValidationError("--listen must be HOST:PORT, [IPV6]:PORT or unix:/PATH.")
        }
        return .tcp(host: String(host), port: Int(port))
    }

    private func key() throws -> Data {
        guard let keyFile else {
            var random = SystemRandomNumberGenerator()
            return Data((0..<4).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } })
        }
        guard let key = FileManager.default.contents(atPath: keyFile) else {
            throw ValidationError("Cannot read \(keyFile). Check that the file exists and that this user may read it.")
        }
        var status = stat()
        guard stat(keyFile, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw ValidationError("Other users can access \(keyFile). Run: chmod 600 \(keyFile)")
        }
        guard key.count >= 32 else {
            throw ValidationError(
                "\(keyFile) has \(key.count) bytes and needs 32. Run: head -c 32 /dev/urandom > \(keyFile)")
        }
        return key
    }
}
