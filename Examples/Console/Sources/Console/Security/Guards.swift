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

/// What every answer tells the browser: run nothing that is not ours, be framed by nobody, guess no types, keep nothing.
struct SecurityHeaders: RouterMiddleware {
    typealias Context = ConsoleContext

    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        + "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.contentSecurityPolicy] = Self.policy
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "same-origin"
        response.headers[.openerPolicy] = "same-origin"
        response.headers[.resourcePolicy] = "same-origin"
        response.headers[.frameOptions] = "DENY"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        return response
    }
}
