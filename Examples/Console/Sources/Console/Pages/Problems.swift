import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Converts errors to a page for users, or to JSON for scripts.
struct Problems: RouterMiddleware {
    typealias Context = ConsoleContext

    let frame: Frame

    func handle(
        _ request: Request, context: ConsoleContext, next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            var response = try answer(to: error, request, context)
            if let error = error as? HTTPError { response.headers.append(contentsOf: error.headers) }
            return response
        }
    }

    private func answer(to error: any Error, _ request: Request, _ context: ConsoleContext) throws -> Response {
        let texts = frame.texts(request)
        let (status, kind, text) = Self.meaning(of: error, texts)
        if status == .internalServerError || status == .serviceUnavailable {
            // Log the route, not the search text of the user. Of other errors, log only the type, because the text may contain data.
            let known: (any CustomStringConvertible)? = (error as? ClientError) ?? (error as? AccountsError)
            context.logger.error(
                "\(known?.description ?? "\(type(of: error))")", metadata: ["route": "\(context.endpointPath ?? "")"])
        }
        if status == .unauthorized, request.method == .get, !request.wantsJSON,
            request.headers[.fetchMode] == "navigate",
            !request.uri.path.hasSuffix("/file"), !request.uri.path.hasSuffix("/receipt"), frame.visitors.signIn == .demo
        {
            return .redirect(to: Paths.signIn, type: .normal)
        }
        if request.wantsJSON { return try .json(["kind": kind, "text": text], status: status) }
        return .html(
            try frame.page(
                "problem", title: "problem.title", request, visitor: context.visitor,
                ["text": text, "canSignIn": status == .unauthorized && frame.visitors.signIn == .demo]), status: status)
    }

    private static func meaning(
        of error: any Error, _ texts: Texts
    ) -> (status: HTTPResponse.Status, kind: String, text: String) {
        switch error {
        case let error as ClientError where error.reason == "caller-not-allowed":
            // The console, not the user, lacks the grant: `callers` in the service's configuration must be changed.
            return (.serviceUnavailable, "unavailable", texts("error.caller"))
        case let error as ClientError:
            let problem = Problem(error, texts)
            return (status(of: error.kind), problem.kind, problem.text)
        case let error as AccountsError:
            switch error.code {
            case .denied: return (.forbidden, "permission-denied", texts("error.permission-denied"))
            case .invalidPosition: return (.badRequest, "invalid-params", texts("error.400"))
            case .sourceInvalid: return (.internalServerError, "source-invalid", texts("error.source"))
            case .unavailable: return (.serviceUnavailable, "unavailable", texts("error.directory"))
            }
        case let error as HTTPError:
            return (
                error.status, "\(error.status.code)",
                texts.first(of: ["error.\(error.status.code)", "error.internal-error"])
            )
        case let error as any HTTPResponseError:
            return (error.status, "\(error.status.code)", texts.first(of: ["error.\(error.status.code)", "error.400"]))
        case is URLEncodedFormError, is DecodingError: return (.badRequest, "400", texts("error.400"))
        default: return (.internalServerError, "internal-error", texts("error.internal-error"))
        }
    }

    private static func status(of kind: String?) -> HTTPResponse.Status {
        switch kind.flatMap({ ErrorKind(rawValue: $0) }) {
        case .permissionDenied: .forbidden
        case .notFound, .notConfigured: .notFound
        case .notReady, .conflict: .conflict
        case .quotaExceeded: .tooManyRequests
        case .expired: .gone
        case .invalidParams: .badRequest
        default: .serviceUnavailable
        }
    }
}
