import Accounts
import Client
import Foundation
import Hummingbird

/// The visitor's exports.
struct RecentExports: Sendable {
    let connections: ServiceConnections

    /// Those that are queued or running. A service that does not answer keeps nobody from their pages.
    func active(_ actor: Actor) async throws -> [Job] {
        do {
            return try await connections.call(
                ExportList.self,
                .init(actor: actor, states: [.queued, .running], limit: ExportEvents.mostJobs)
            ).jobs
        } catch is ClientError {
            return []
        }
    }

    func page(_ actor: Actor, cursor: String?) async throws -> ExportList.Result {
        try await connections.call(ExportList.self, .init(actor: actor, limit: 20, cursor: cursor))
    }
}

/// Administrators > Recent exports.
struct ExportsPage: Sendable {
    let frame: Frame
    let accounts: AccountList
    let exports: RecentExports

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let texts = frame.texts(request)
        let standing = try await accounts.standing(of: visitor.actor)
        let cursor = request.uri.queryParameters["cursor"].map { String($0) }
        let page: ExportList.Result
        do {
            page = try await exports.page(visitor.actor, cursor: cursor)
        } catch let error as ClientError where error.kind == ErrorKind.invalidParams.rawValue && cursor != nil {
            return .redirect(to: Paths.exports, type: .normal)
        } catch let error as ClientError where error.kind == ErrorKind.permissionDenied.rawValue {
            page = .init(jobs: [], nextCursor: nil)
        }
        let rows = page.jobs.map { JobRow($0, texts, zone: standing?.timeZone ?? "") }
        return .html(
            try frame.page(
                "exports", title: "exports.title", request, visitor: visitor, standing: standing,
                active: page.jobs.filter { !$0.state.isFinal },
                [
                    "isEmpty": rows.isEmpty, "rows": rows,
                    "next": page.nextCursor.map { Self.link($0) } ?? "", "hasNext": page.nextCursor != nil,
                ]))
    }

    private static func link(_ cursor: String) -> String {
        var components = URLComponents()
        components.queryItems = [URLQueryItem(name: "cursor", value: cursor)]
        return Paths.exports + "?" + (components.percentEncodedQuery ?? "").replacing("+", with: "%2B")
    }
}
