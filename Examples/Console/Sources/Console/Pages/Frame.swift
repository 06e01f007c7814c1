import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird

/// What all pages have around them: who is signed in, where one is, the dialogs.
struct Frame: Sendable {
    let templates: Templates
    let catalogue: Catalogue
    let visitors: Visitors
    /// Of the assets' contents: a browser keeps them until they are others.
    let assets: String

    static let languageCookie = "adminexport_language"

    func texts(_ request: Request) -> Texts {
        catalogue.texts(
            chosen: request.cookies[Self.languageCookie]?.value, accepted: request.headers[.acceptLanguage])
    }

    /// A name for what the browser keeps for somebody: the same at each sign-in, and it says nothing about who they are.
    func tag(of visitor: Visitor) -> String {
        visitors.signer.code(Data("\(visitor.actor.tenant)\0\(visitor.actor.administrator)".utf8), for: "tag").base64URL
    }

    /// The visitor, unless the request is a page's of somebody else: who had signed in before, in the same browser.
    func visitor(of request: Request, _ context: ConsoleContext) -> Visitor? {
        guard let visitor = context.visitor else { return nil }
        guard let named = request.uri.queryParameters["visitor"] else { return visitor }
        return String(named) == tag(of: visitor) ? visitor : nil
    }

    /// Where a choice of language leads back to, as the value of a query's field.
    private static func back(to request: Request) -> String {
        guard request.method == .get, Paths.isOwn(request.uri.string) else { return "/" }
        return request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "/"
    }

    /// A whole page.
    ///
    /// - Parameters:
    ///   - template: the page's own.
    ///   - title: a text's name.
    ///   - active: exports that are under way, to be followed.
    func page(
        _ template: String, title: String, _ request: Request, visitor: Visitor?, standing: Standing? = nil,
        active: [Job] = [],
        _ values: [String: Any] = [:]
    ) throws -> String {
        let texts = texts(request)
        var page: [String: Any] = [
            "t": texts.groups, "language": texts.language, "title": texts(title), "assets": assets,
            "back": Self.back(to: request),
            "languages": catalogue.all.map { other in
                [
                    "code": other.language, "name": other("page.language"), "isCurrent": other.language == texts.language,
                ] as [String: Any]
            },
            "onAccounts": request.uri.path.hasPrefix(Paths.accounts), "onExports": request.uri.path.hasPrefix(Paths.exports),
            "canSignOut": visitors.signIn == .demo, "hasActive": !active.isEmpty,
        ]
        if let visitor {
            page["token"] = visitors.formToken(visitor.formKey)
            page["visitor"] = [
                "name": standing?.name ?? visitor.actor.administrator,
                "tenant": standing?.tenantName ?? visitor.actor.tenant,
                "tag": tag(of: visitor),
            ]
            page["mayView"] = standing?.mayView ?? false
            page["active"] = active.map(\.id).joined(separator: " ")
            page["idempotencyKey"] = UUID().uuidString
        }
        page.merge(values) { $1 }
        return try templates.render(template, page)
    }
}
