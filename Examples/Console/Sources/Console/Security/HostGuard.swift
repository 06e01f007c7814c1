import HTTPTypes
import Hummingbird

/// Refuses requests with a host name other than the console's own. This prevents DNS rebinding: a foreign page could resolve its name to
/// the console's address.
struct HostGuard: RouterMiddleware {
    typealias Context = ConsoleContext
    /// Host names without ports. nil, for a Unix socket, accepts every name.
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
