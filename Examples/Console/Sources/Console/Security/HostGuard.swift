import HTTPTypes
import Hummingbird

/// Refuses requests that name a host which this console is not: a page elsewhere could have its own name lead here (DNS rebinding).
struct HostGuard: RouterMiddleware {
    typealias Context = ConsoleContext
    /// Names without ports; nil lets any in, over a Unix socket.
    let hosts: Set<String>?

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        guard let hosts else { return try await next(request, context) }
        guard let authority = request.head.authority, hosts.contains(Self.name(authority)) else {
            return Response(
                status: .misdirectedRequest, headers: [.contentType: "text/plain; charset=utf-8"],
                body: .init(byteBuffer: .init(string: "This console is not called by that name; see --host.\n")))
        }
        return try await next(request, context)
    }

    private static func name(_ authority: String) -> String {
        let name = authority.hasPrefix("[") ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
        return name.lowercased()
    }
}
