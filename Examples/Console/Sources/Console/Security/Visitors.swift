internal import AdminExportAPI
import AdminExportClient
import Foundation
import HTTPTypes
import Hummingbird

/// Identifies the user of a request, and checks that a request that changes something comes from a form of this user.
struct Visitors: Sendable {
    let signIn: ConsoleConfiguration.SignIn
    let signer: Signer
    let sessions: SessionStore

    /// - Returns: nil if nobody has signed in.
    func visitor(of request: Request, from peer: Peer) -> Visitor? {
        switch signIn {
        case .demo:
            guard let session = sessions.session(of: request), let actor = session.actor else { return nil }
            return Visitor(actor: actor, formKey: session.id)
        case .proxy(let identity):
            guard identity.trusts(peer), let actor = identity.actor(of: request.headers) else { return nil }
            return Visitor(actor: actor, formKey: "\(actor.tenant)\0\(actor.administrator)")
        }
    }

    /// The token that a form contains to prove that it was made for this user.
    func formToken(_ formKey: String) -> String {
        signer.code(Data(formKey.utf8), for: "form").base64URL
    }

    /// Whether a page of this console made the request, with a form for this user.
    ///
    /// Most browsers state the origin of a request (Fetch Metadata, `Sec-Fetch-Site`; RFC 6454, 7, `Origin`). The token protects
    /// users of the others.
    func isOwn(_ request: Request, token: String?, formKey: String) -> Bool {
        if let site = request.headers[.fetchSite], site != "same-origin" { return false }
        if let origin = request.headers[.origin], let host = request.head.authority,
            origin.lowercased() != "http://\(host)".lowercased(), origin.lowercased() != "https://\(host)".lowercased()
        {
            return false
        }
        guard let token else { return false }
        return Signer.areEqual(token, formToken(formKey))
    }
}

extension ConsoleConfiguration.ProxyIdentity {
    func trusts(_ peer: Peer) -> Bool {
        switch peer {
        case .unix: true
        case .address(let address): trustedPeers.contains(address)
        case .unknown: false
        }
    }

    /// The actor that the headers name; nil if a header occurs twice or is a list, because then the proxy did not set it alone.
    func actor(of headers: HTTPFields) -> ActorName? {
        func value(_ name: String) -> String? {
            guard let field = HTTPField.Name(name) else { return nil }
            let values = headers[values: field]
            guard values.count == 1, !values[0].isEmpty, !values[0].contains(",") else { return nil }
            return values[0]
        }
        guard let administrator = value(administratorHeader) else { return nil }
        switch tenant {
        case .fixed(let slug): return ActorName(tenant: slug, administrator: administrator)
        case .header(let name): return value(name).map { ActorName(tenant: $0, administrator: administrator) }
        }
    }
}
