import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird

/// The sign-in page of the demo: users choose an administrator, without a password.
struct SignInPage: Sendable {
    let frame: Frame
    let accounts: AccountList
    let visitors: Visitors
    let sessions: SessionStore

    struct Form: Decodable {
        let token: String?
        let tenant: String?
        let administrator: String?
    }

    func show(_ request: Request, problem: String? = nil) async throws -> Response {
        let texts = frame.texts(request)
        let examples = try await accounts.examples()
        // Before the sign-in, the form is bound to a session without a user.
        let session = sessions.session(of: request) ?? Session(nil)
        var response = Response.html(
            try frame.page(
                "sign-in", title: "signIn.title", request, visitor: nil,
                [
                    "token": visitors.formToken(session.id), "problem": problem ?? "", "hasProblem": problem != nil,
                    "isEmpty": examples.isEmpty,
                    "examples": examples.map {
                        [
                            "tenant": $0.tenant, "tenantName": $0.tenantName, "email": $0.email, "name": $0.name,
                            "profile": $0.profile, "choose": texts("signIn.choose", ["name": $0.name]),
                        ]
                    },
                ]), status: problem == nil ? .ok : .unprocessableContent)
        response.setCookie(try sessions.cookie(for: session))
        return response
    }

    func signIn(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let form = try await request.decode(as: Form.self, context: context)
        guard let session = sessions.session(of: request),
            visitors.isOwn(request, token: form.token, formKey: session.id)
        else { throw HTTPError(.forbidden) }
        let actor = ActorName(
            tenant: (form.tenant ?? "").trimmingCharacters(in: .whitespaces),
            administrator: (form.administrator ?? "").trimmingCharacters(in: .whitespaces))
        guard try await accounts.details(of: actor) != nil else {
            return try await show(request, problem: frame.texts(request)("signIn.unknown"))
        }
        // Create a new session. This prevents session fixation.
        sessions.end(session)
        var response = Response.redirect(to: Paths.accounts, type: .normal)
        response.setCookie(try sessions.cookie(for: Session(actor)))
        return response
    }

    func signOut(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let form = try await request.decode(as: Form.self, context: context)
        if let session = sessions.session(of: request) {
            guard visitors.isOwn(request, token: form.token, formKey: session.id) else { throw HTTPError(.forbidden) }
            sessions.end(session)
        }
        var response = Response.redirect(to: Paths.signIn, type: .normal)
        response.setCookie(SessionStore.noCookie)
        return response
    }
}
