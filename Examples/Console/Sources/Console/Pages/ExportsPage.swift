import Accounts
import Client
import Foundation
import Hummingbird

/// The visitor's exports.
struct RecentExports: Sendable {
    let connections: ServiceConnections

    /// Those that are queued or running. A service that does not answer, or not soon, keeps nobody from their pages.
    func active(_ actor: Actor) async -> [Job] {
        let result = try? await connections.call(
            ExportList.self, .init(actor: actor, states: [.queued, .running], limit: ExportEvents.mostJobs),
            timeout: .seconds(3))
        return result?.jobs ?? []
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
        } catch let error as ClientError where error.isDenied {
            page = .init(jobs: [], nextCursor: nil)
        }
        async let active = exports.active(visitor.actor)
        let rows = page.jobs.map { JobRow($0, texts, zone: standing?.timeZone ?? "") }
        return .html(
            try frame.page(
                "exports", title: "exports.title", request, visitor: visitor, standing: standing,
                active: await active,
                [
                    "isEmpty": rows.isEmpty, "rows": rows,
                    "next": page.nextCursor.map { Self.link($0) } ?? "", "hasNext": page.nextCursor != nil,
                    "isOlder": cursor != nil, "hasPages": cursor != nil || page.nextCursor != nil,
                ]))
    }

    /// `GET /exports/:id/delete`: asks, on a page of its own where there are no scripts.
    func confirmation(for request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let id = try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
        let job = try await exports.connections.call(ExportGet.self, .init(actor: visitor.actor, job: id)).job
        let standing = try await accounts.standing(of: visitor.actor)
        let row = JobRow(job, frame.texts(request), zone: standing?.timeZone ?? "")
        return .html(
            try frame.page(
                "delete", title: "exports.confirmTitle", request, visitor: visitor, standing: standing, ["label": row.label])
        )
    }

    private static func link(_ cursor: String) -> String {
        var components = URLComponents()
        components.queryItems = [URLQueryItem(name: "cursor", value: cursor)]
        return Paths.exports + "?" + (components.percentEncodedQuery ?? "").replacing("+", with: "%2B")
    }
}

extension ClientError {
    /// The administrator may not. Where it is the console that may not, somebody has to mend it.
    fileprivate var isDenied: Bool { kind == ErrorKind.permissionDenied.rawValue && reason != "caller-not-allowed" }
}
