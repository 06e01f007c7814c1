import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird

/// The page Administrators > Recent exports.
struct ExportsPage: Sendable {
    let frame: Frame
    let accounts: AccountList
    let exports: RecentExports

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let texts = frame.texts(request)
        let details = try await accounts.details(of: visitor.actor)
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
        let rows = page.jobs.map { JobRow($0, texts, zone: details?.timeZone ?? "") }
        return .html(
            try frame.page(
                "exports", title: "exports.title", request, visitor: visitor, details: details,
                active: await active,
                [
                    "isEmpty": rows.isEmpty, "rows": rows,
                    "next": page.nextCursor.map { Paths.link(Paths.exports, [("cursor", $0)]) } ?? "",
                    "hasNext": page.nextCursor != nil,
                    "isOlder": cursor != nil, "hasPages": cursor != nil || page.nextCursor != nil,
                ]))
    }

    /// `GET /exports/:id/delete`: the page that asks for confirmation, for browsers without scripts.
    func confirmation(for request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let id = try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
        let job = try await exports.connections.call(ExportGet.self, .init(actor: visitor.actor, job: id)).job
        let details = try await accounts.details(of: visitor.actor)
        let row = JobRow(job, frame.texts(request), zone: details?.timeZone ?? "")
        return .html(
            try frame.page(
                "delete", title: "exports.confirmTitle", request, visitor: visitor, details: details, ["label": row.label])
        )
    }
}

extension ClientError {
    /// Whether the error says that the administrator lacks permission. If the console lacks the grant, an operator must add it.
    fileprivate var isDenied: Bool { kind == ErrorKind.permissionDenied.rawValue && reason != "caller-not-allowed" }
}
