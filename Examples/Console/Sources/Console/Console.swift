import Accounts
import Foundation
public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore

/// The console: its parts, and the routes of its pages.
public struct Console: Sendable {
    private let configuration: ConsoleConfiguration
    private let logger: Logger

    public init(_ configuration: ConsoleConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// - Throws: if the program's own resource files are missing or invalid.
    public func application() throws -> some ApplicationProtocol {
        let address: BindAddress =
            switch configuration.address {
            case .tcp(let host, let port): .hostname(host, port: port)
            case .unix(let path): .unixDomainSocket(path: path)
            }
        let (listening, mode) = (configuration.address, configuration.socketMode)
        return Application(
            router: try router(),
            server: .http1(configuration: .init(additionalChannelHandlers: [ConnectionGuard()], idleTimeout: .seconds(60))),
            configuration: .init(
                address: address,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.connections, logger: logger)),
            onServerRunning: { channel in
                // Print the address, because the program may have chosen the port. Scripts read this line.
                switch listening {
                case .tcp(let host, _):
                    let name = host.contains(":") ? "[\(host)]" : host
                    print("http://\(name):\(channel.localAddress?.port ?? 0)")
                case .unix(let path):
                    chmod(path, mode)
                    print("unix:\(path)")
                }
                fflush(nil)
            },
            logger: logger)
    }

    func router() throws -> Router<ConsoleContext> {
        let resources = Bundle.module.bundleURL.appending(path: "Resources")
        let assets = try Assets(folder: resources.appending(path: "Assets"))
        let signer = Signer(key: configuration.key)
        let sessions = SessionStore(signer: signer)
        let visitors = Visitors(signIn: configuration.signIn, signer: signer, sessions: sessions)
        let frame = Frame(
            templates: try Templates(folder: resources.appending(path: "Templates")),
            catalogue: try Catalogue(folder: resources.appending(path: "Texts")), visitors: visitors, assets: assets.version)
        let accounts = AccountList(database: configuration.database)
        let connections = ServiceConnections(socket: configuration.socket)

        let router = Router(context: ConsoleContext.self)
        router.middlewares.add(HeadAnswers())
        router.middlewares.add(SecurityHeaders())
        router.middlewares.add(HostGuard(hosts: hosts))
        router.middlewares.add(Recognition(visitors: visitors))
        router.middlewares.add(Problems(frame: frame))
        router.get("assets/:version/:file") { try assets.respond(to: $0, $1) }
        addPages(to: router, frame, accounts, connections, sessions)
        addExports(to: router, frame, accounts, connections)
        // All other paths answer 404 with a page.
        router.get("**") { _, _ -> Response in throw HTTPError(.notFound) }
        router.head("**") { _, _ -> Response in throw HTTPError(.notFound) }
        return router
    }

    private var hosts: Set<String>? {
        switch configuration.address {
        case .unix: configuration.hosts.isEmpty ? nil : configuration.hosts
        case .tcp(let host, _):
            ConsoleConfiguration.loopback.contains(host)
                ? configuration.hosts.union(ConsoleConfiguration.loopback) : configuration.hosts.union([host.lowercased()])
        }
    }

    private func addPages(
        to router: Router<ConsoleContext>, _ frame: Frame, _ accounts: AccountList, _ connections: ServiceConnections,
        _ sessions: SessionStore
    ) {
        let exports = RecentExports(connections: connections)
        let accountsPage = AccountsPage(frame: frame, accounts: accounts, exports: exports, connections: connections)
        let exportsPage = ExportsPage(frame: frame, accounts: accounts, exports: exports)
        router.get("") { _, context -> Response in
            guard context.visitor != nil || frame.visitors.signIn == .demo else { throw HTTPError(.unauthorized) }
            return .redirect(to: context.visitor == nil ? Paths.signIn : Paths.accounts, type: .normal)
        }
        router.get("\(Paths.accounts)") { try await accountsPage.respond(to: $0, $1) }
        router.get("\(Paths.export)") { try await accountsPage.exportForm($0, $1) }
        router.get("\(Paths.exports)") { try await exportsPage.respond(to: $0, $1) }
        router.get("session") { try Self.session($0, $1, frame) }
        router.get("\(Paths.language)") { request, _ in Self.choseLanguage(request, frame) }
        guard configuration.signIn == .demo else { return }
        let signInPage = SignInPage(frame: frame, accounts: accounts, visitors: frame.visitors, sessions: sessions)
        router.get("\(Paths.signIn)") { request, context in
            context.visitor == nil ? try await signInPage.show(request) : .redirect(to: Paths.accounts, type: .normal)
        }
        router.post("\(Paths.signIn)") { try await signInPage.signIn($0, $1) }
        router.post("\(Paths.signOut)") { try await signInPage.signOut($0, $1) }
    }

    private func addExports(
        to router: Router<ConsoleContext>, _ frame: Frame, _ accounts: AccountList, _ connections: ServiceConnections
    ) {
        let forms = ExportForms(connections: connections, visitors: frame.visitors)
        let events = EventRoute(
            events: ExportEvents(connections: connections), accounts: accounts, frame: frame)
        let file = FileRoute(connections: connections, frame: frame)
        let receipt = ReceiptRoute(connections: connections, frame: frame)
        let exportsPage = ExportsPage(
            frame: frame, accounts: accounts, exports: RecentExports(connections: connections))
        router.post("exports") { try await forms.start($0, $1, texts: frame.texts($0)) }
        router.get("exports/events") { try await events.respond(to: $0, $1, texts: frame.texts($0)) }
        router.get("exports/:id/file") { try await file.respond(to: $0, $1) }
        router.head("exports/:id/file") { try await file.respond(to: $0, $1) }
        router.get("exports/:id/receipt") { try await receipt.respond(to: $0, $1) }
        router.post("exports/:id/cancel") { try await forms.cancel($0, $1, texts: frame.texts($0)) }
        router.get("exports/:id/delete") { try await exportsPage.confirmation(for: $0, $1) }
        router.post("exports/:id/delete") { try await forms.delete($0, $1, texts: frame.texts($0)) }
    }

    /// `GET /session`: the tag of the signed-in user. Scripts of a page that has been open for long detect another sign-in with it.
    private static func session(_ request: Request, _ context: ConsoleContext, _ frame: Frame) throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        return try .json(["visitor": frame.tag(of: visitor)])
    }

    /// `GET /language?code=…&back=…`
    private static func choseLanguage(_ request: Request, _ frame: Frame) -> Response {
        let parameters = request.uri.queryParameters
        let back = parameters["back"].map { String($0) } ?? "/"
        var response = Response.redirect(to: Paths.isOwn(back) ? back : "/", type: .normal)
        let texts = frame.catalogue.texts(chosen: parameters["code"].map { String($0) }, accepted: nil)
        response.setCookie(
            Cookie(
                name: Frame.languageCookie, value: texts.language, maxAge: 365 * 86_400, path: "/", httpOnly: true,
                sameSite: .lax))
        return response
    }
}
