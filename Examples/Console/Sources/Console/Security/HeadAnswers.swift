import HTTPTypes
import Hummingbird

/// An answer to HEAD has the fields of the one to GET, and no content (RFC 9110, 9.3.2): what is sent all the same would be read as the
/// beginning of the next answer on the connection.
struct HeadAnswers: RouterMiddleware {
    typealias Context = ConsoleContext

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        guard request.method == .head else { return response }
        var head = response.createHeadResponse()
        if head.headers[.contentLength] == nil, let length = response.body.contentLength {
            head.headers[.contentLength] = "\(length)"
        }
        return head
    }
}
