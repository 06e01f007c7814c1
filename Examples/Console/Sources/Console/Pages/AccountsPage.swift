import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird

/// The page Administrators > Accounts, and the page with the export form for browsers without scripts.
struct AccountsPage: Sendable {
    private static let maxSearchLength = 100

    let frame: Frame
    let accounts: AccountList
    let exports: RecentExports
    let connections: ServiceConnections

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        var query = try query(request, context)
        let settings = await connections.settings()
        query.otherGroups = settings.otherGroups
        query.attributes = settings.attributes
        async let active = exports.active(visitor.actor)
        let details: ActorDetails?
        var values: [String: Any] = [:]
        do {
            let page = try await accounts.page(of: visitor.actor, query)
            let isElsewhere = if case .first = query.position { false } else { true }
            // The accounts of this page no longer exist: show the first page.
            guard !page.accounts.isEmpty || !isElsewhere else { return .redirect(to: Self.link(to: query), type: .normal) }
            details = page.actor
            values = list(page, query, frame.texts(request))
            values.merge(options(settings, page.attributes, frame.texts(request))) { $1 }
        } catch let error as AccountsError where error.code == .invalidPosition {
            return .redirect(to: Self.link(to: query), type: .normal)
        } catch let error as AccountsError where error.code == .denied {
            details = try await accounts.details(of: visitor.actor)
        }
        return .html(
            try frame.page(
                "accounts", title: "accounts.title", request, visitor: visitor, details: details, active: await active,
                values))
    }

    func exportForm(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let details = try await accounts.details(of: visitor.actor)
        guard details?.mayView == true else { throw HTTPError(.forbidden) }
        let settings = await connections.settings()
        let attributes = try await accounts.attributes(settings.attributes, of: visitor.actor)
        return .html(
            try frame.page(
                "export", title: "export.title", request, visitor: visitor, details: details,
                active: await exports.active(visitor.actor), options(settings, attributes, frame.texts(request))))
    }

    /// The values of the export form.
    private func options(
        _ settings: ServiceSettings, _ attributes: [ServiceInfo.Attribute], _ texts: Texts
    ) -> [String: Any] {
        [
            "offersAbout": settings.includesAbout != nil, "includesAbout": settings.includesAbout ?? false,
            "columns": attributes.isEmpty
                ? [] : [texts("export.columns", ["columns": attributes.map(\.title).joined(separator: ", ")])],
        ]
    }

    /// The fields of the search form and of the links between pages. A plus is a space, as in forms; `URI.queryParameters` does not
    /// convert it.
    private struct Fields: Decodable {
        let search: String?
        let status: String?
        let after: String?
        let before: String?
    }

    private func query(_ request: Request, _ context: ConsoleContext) throws -> AccountQuery {
        let fields = try request.uri.decodeQuery(as: Fields.self, context: context)
        var query = AccountQuery(
            search: String((fields.search ?? "").trimmingCharacters(in: .whitespaces).prefix(Self.maxSearchLength)),
            status: fields.status.flatMap { AccountQuery.Status(rawValue: $0) } ?? .all)
        if let key = fields.after { query.position = .after(key) }
        if let key = fields.before { query.position = .before(key) }
        return query
    }

    /// The first page of the search, or the page after or before an account.
    private static func link(to query: AccountQuery, _ direction: String? = nil, _ key: String? = nil) -> String {
        var fields: [(name: String, value: String)] = []
        if let direction, let key { fields.append((direction, key)) }
        if !query.search.isEmpty { fields.append(("search", query.search)) }
        if query.status != .all { fields.append(("status", query.status.rawValue)) }
        return Paths.link(Paths.accounts, fields)
    }

    private func list(_ page: AccountPage, _ query: AccountQuery, _ texts: Texts) -> [String: Any] {
        let count =
            if let matches = page.matches {
                texts("accounts.count", ["shown": texts.number(page.accounts.count), "total": texts.number(matches)])
            } else {
                texts("accounts.countMany", ["shown": texts.number(page.accounts.count)])
            }
        return [
            "search": query.search, "isAll": query.status == .all, "isEnabled": query.status == .enabled,
            "isDisabled": query.status == .disabled, "isEmpty": page.accounts.isEmpty, "count": count,
            "previous": Self.link(to: query, "before", page.accounts.first?.key),
            "next": Self.link(to: query, "after", page.accounts.last?.key),
            "hasPrevious": page.hasPrevious, "hasNext": page.hasNext, "hasPages": page.hasPrevious || page.hasNext,
            "attributes": page.attributes.map(\.title), "rows": page.accounts.map { row($0, texts) },
        ]
    }

    private func row(_ account: Account, _ texts: Texts) -> [String: Any] {
        [
            "name": account.name, "email": account.email, "phone": account.phone ?? "", "profile": account.profile ?? "",
            "mainGroup": account.mainGroup ?? "", "secondaryGroups": account.secondaryGroups,
            "hiddenGroups": account.hiddenGroups == 0
                ? [] : [texts("accounts.hiddenGroups", ["count": texts.number(account.hiddenGroups)])],
            "teams": account.teams, "created": texts.day(account.created),
            "updated": texts.day(account.updated), "enabled": account.isEnabled,
            "values": account.attributes.map { ["items": items($0, texts)] },
        ]
    }

    private func items(_ value: AttributeValue?, _ texts: Texts) -> [String] {
        switch value {
        case .text(let text), .time(let text): [text]
        case .day(let day): [texts.day(day)]
        case .flag(let flag): [texts(flag ? "accounts.yes" : "accounts.no")]
        case .list(let items): items
        case nil: []
        }
    }
}
