import HTTPTypes
import Hummingbird

/// Removes the content of answers to HEAD. Such an answer has the header fields of the answer to GET and no content (RFC 9110, 9.3.2); a
/// client would read content as the beginning of the next answer on the connection.
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
