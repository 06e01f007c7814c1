import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird

/// The parts that all pages share: the signed-in user, the navigation, the dialogs.
struct Frame: Sendable {
    let templates: Templates
    let catalogue: Catalogue
    let visitors: Visitors
    /// The version of the assets, a digest of their contents. Browsers cache assets under this version.
    let assets: String

    static let languageCookie = "adminexport_language"

    func texts(_ request: Request) -> Texts {
        catalogue.texts(
            chosen: request.cookies[Self.languageCookie]?.value, accepted: request.headers[.acceptLanguage])
    }

    /// A name for the data that the browser stores for a user. It is the same at each sign-in and does not identify the user.
    func tag(of visitor: Visitor) -> String {
        visitors.signer.code(Data("\(visitor.actor.tenant)\0\(visitor.actor.administrator)".utf8), for: "tag").base64URL
    }

    /// The user, unless the request comes from a page of another user who was signed in before in the same browser.
    func visitor(of request: Request, _ context: ConsoleContext) -> Visitor? {
        guard let visitor = context.visitor else { return nil }
        guard let named = request.uri.queryParameters["visitor"] else { return visitor }
        return String(named) == tag(of: visitor) ? visitor : nil
    }

    /// The page to return to after a change of the language, as the value of a query field.
    private static func back(to request: Request) -> String {
        guard request.method == .get, Paths.isOwn(request.uri.string) else { return "/" }
        return request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "/"
    }

    /// A complete page.
    ///
    /// - Parameters:
    ///   - template: the template of the page.
    ///   - title: the name of a text.
    ///   - active: the exports in progress that the page follows.
    func page(
        _ template: String, title: String, _ request: Request, visitor: Visitor?, details: ActorDetails? = nil,
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
                "name": details?.name ?? visitor.actor.administrator,
                "tenant": details?.tenantName ?? visitor.actor.tenant,
                "tag": tag(of: visitor),
            ]
            page["mayView"] = details?.mayView ?? false
            page["active"] = active.map(\.id).joined(separator: " ")
            page["idempotencyKey"] = UUID().uuidString
        }
        page.merge(values) { $1 }
        return try templates.render(template, page)
    }
}
