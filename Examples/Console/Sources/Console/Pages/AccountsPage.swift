import Accounts
import Client
import Foundation
import Hummingbird

/// Administrators > Accounts, and the export form on a page of its own for browsers without scripts.
struct AccountsPage: Sendable {
    private static let mostSearched = 100

    let frame: Frame
    let accounts: AccountList
    let exports: RecentExports

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let texts = frame.texts(request)
        let standing = try await accounts.standing(of: visitor.actor)
        var values: [String: Any] = [:]
        if standing?.mayView == true {
            let query = try query(request, context)
            do {
                values = try await list(query, of: visitor.actor, texts)
            } catch let error as AccountsError where error.code == .invalidPosition {
                return .redirect(to: Paths.accounts, type: .normal)
            }
        }
        return .html(
            try frame.page(
                "accounts", title: "accounts.title", request, visitor: visitor, standing: standing,
                active: try await exports.active(visitor.actor), values))
    }

    func exportForm(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let standing = try await accounts.standing(of: visitor.actor)
        guard standing?.mayView == true else { throw HTTPError(.forbidden) }
        return .html(
            try frame.page(
                "export", title: "export.title", request, visitor: visitor, standing: standing,
                active: try await exports.active(visitor.actor)))
    }

    /// What the search form and the links between pages ask for. A plus is a space here, as forms have it; to
    /// `URI.queryParameters` it is a plus.
    private struct Fields: Decodable {
        let search: String?
        let status: String?
        let after: String?
        let before: String?
    }

    private func query(_ request: Request, _ context: ConsoleContext) throws -> AccountQuery {
        let fields = try request.uri.decodeQuery(as: Fields.self, context: context)
        var query = AccountQuery(
            search: String((fields.search ?? "").trimmingCharacters(in: .whitespaces).prefix(Self.mostSearched)),
            status: fields.status.flatMap { AccountQuery.Status(rawValue: $0) } ?? .all)
        if let key = fields.after { query.position = .after(key) }
        if let key = fields.before { query.position = .before(key) }
        return query
    }

    private func list(_ query: AccountQuery, of actor: Actor, _ texts: Texts) async throws -> [String: Any] {
        let page = try await accounts.page(of: actor, query)
        func link(_ direction: String, _ key: String?) -> String {
            var components = URLComponents()
            components.queryItems = [URLQueryItem(name: direction, value: key)]
            if !query.search.isEmpty { components.queryItems?.append(URLQueryItem(name: "search", value: query.search)) }
            if query.status != .all {
                components.queryItems?.append(URLQueryItem(name: "status", value: query.status.rawValue))
            }
            // A plus is a space to whoever reads a query.
            return Paths.accounts + "?" + (components.percentEncodedQuery ?? "").replacing("+", with: "%2B")
        }
        let isMore = page.matches >= AccountQuery.mostCounted
        return [
            "search": query.search, "isAll": query.status == .all, "isEnabled": query.status == .enabled,
            "isDisabled": query.status == .disabled, "isEmpty": page.accounts.isEmpty,
            "count": texts(
                isMore ? "accounts.countMore" : "accounts.count",
                ["shown": texts.number(page.accounts.count), "total": texts.number(page.matches)]),
            "previous": page.hasPrevious ? link("before", page.accounts.first?.key) : "",
            "next": page.hasNext ? link("after", page.accounts.last?.key) : "",
            "hasPrevious": page.hasPrevious && !page.accounts.isEmpty, "hasNext": page.hasNext && !page.accounts.isEmpty,
            "rows": page.accounts.map { row($0, texts) },
        ]
    }

    private func row(_ account: Account, _ texts: Texts) -> [String: Any] {
        [
            "name": account.name, "email": account.email, "phone": account.phone ?? "", "profile": account.profile ?? "",
            "mainGroup": account.mainGroup ?? "", "secondaryGroups": account.secondaryGroups.joined(separator: ", "),
            "teams": account.teams.joined(separator: ", "), "created": texts.day(account.created),
            "updated": texts.day(account.updated), "enabled": account.isEnabled,
        ]
    }
}
