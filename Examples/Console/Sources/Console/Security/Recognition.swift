import Hummingbird

/// Identifies the user, and stores it in the context for the middlewares and routes that follow.
struct Recognition: RouterMiddleware {
    typealias Context = ConsoleContext
    let visitors: Visitors

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.visitor = visitors.visitor(of: request, from: context.peer)
        return try await next(request, context)
    }
}
