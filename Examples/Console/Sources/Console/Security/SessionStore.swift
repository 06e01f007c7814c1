import Client
import Foundation
import Hummingbird
import Synchronization

/// Sessions live in signed cookies; here are only those that were ended before their time.
final class SessionStore: Sendable {
    static let cookie = "adminexport_session"
    private static let purpose = "session"
    /// More than these are forgotten, the oldest first: a session ends by itself in any case.
    private static let mostEnded = 100_000

    private let signer: Signer
    private let ended = Mutex<[(id: String, ends: Date)]>([])

    init(signer: Signer) {
        self.signer = signer
    }

    /// The request's session, where it has a good one.
    func session(of request: Request, now: Date = .now) -> Session? {
        guard let cookie = request.cookies[Self.cookie], let data = signer.open(cookie.value, for: Self.purpose),
            let session = try? JSONDecoder().decode(Session.self, from: data), session.ends > now
        else { return nil }
        return ended.withLock { $0.contains { $0.id == session.id } } ? nil : session
    }

    func end(_ session: Session, now: Date = .now) {
        ended.withLock { ended in
            ended.removeAll { $0.ends <= now }
            if ended.count >= Self.mostEnded { ended.removeFirst() }
            ended.append((session.id, session.ends))
        }
    }

    /// Scripts cannot read it and other sites cannot send it (RFC 6265bis, 5.5 and 5.6).
    func cookie(for session: Session) throws -> Cookie {
        Cookie(
            name: Self.cookie, value: signer.sign(try JSONEncoder().encode(session), for: Self.purpose),
            maxAge: Int(Session.length), path: "/", httpOnly: true, sameSite: .strict)
    }

    static let noCookie = Cookie(name: cookie, value: "", maxAge: 0, path: "/", httpOnly: true, sameSite: .strict)
}
