internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird
import Synchronization

/// Signs sessions into cookies and reads them. In memory it keeps only the sessions that users ended before they expired.
final class SessionStore: Sendable {
    static let cookie = "adminexport_session"
    private static let purpose = "session"
    /// The maximum number of ended sessions. Beyond it, the store removes the session that expires first.
    private static let maxEnded = 100_000

    private let signer: Signer
    private let ended = Mutex<[String: Date]>([:])

    init(signer: Signer) {
        self.signer = signer
    }

    /// The session of the request; nil if it has none, or one that is invalid, expired or ended.
    func session(of request: Request, now: Date = .now) -> Session? {
        guard let cookie = request.cookies[Self.cookie], let data = signer.open(cookie.value, for: Self.purpose),
            let session = try? JSONDecoder().decode(Session.self, from: data), session.ends > now
        else { return nil }
        return ended.withLock { $0[session.id] == nil } ? session : nil
    }

    func end(_ session: Session, now: Date = .now) {
        ended.withLock { ended in
            if ended.count >= Self.maxEnded { ended = ended.filter { $0.value > now } }
            if ended.count >= Self.maxEnded, let first = ended.min(by: { $0.value < $1.value }) { ended[first.key] = nil }
            ended[session.id] = session.ends
        }
    }

    /// A cookie that scripts cannot read and that other sites cannot send (RFC 6265bis, 5.5 and 5.6).
    func cookie(for session: Session) throws -> Cookie {
        Cookie(
            name: Self.cookie, value: signer.sign(try JSONEncoder().encode(session), for: Self.purpose),
            maxAge: Int(Session.length), path: "/", httpOnly: true, sameSite: .strict)
    }

    static let noCookie = Cookie(name: cookie, value: "", maxAge: 0, path: "/", httpOnly: true, sameSite: .strict)
}
