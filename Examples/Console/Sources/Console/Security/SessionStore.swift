internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird
import Synchronization

/// Sessions live in signed cookies; here are only those that were ended before their time, as long as the program runs.
final class SessionStore: Sendable {
    static let cookie = "adminexport_session"
    private static let purpose = "session"
    /// Of more than these the oldest is forgotten: a session ends by itself in any case.
    private static let mostEnded = 100_000

    private let signer: Signer
    private let ended = Mutex<[String: Date]>([:])

    init(signer: Signer) {
        self.signer = signer
    }

    /// The request's session, where it has a good one.
    func session(of request: Request, now: Date = .now) -> Session? {
        guard let cookie = request.cookies[Self.cookie], let data = signer.open(cookie.value, for: Self.purpose),
            let session = try? JSONDecoder().decode(Session.self, from: data), session.ends > now
        else { return nil }
        return ended.withLock { $0[session.id] == nil } ? session : nil
    }

    func end(_ session: Session, now: Date = .now) {
        ended.withLock { ended in
            if ended.count >= Self.mostEnded { ended = ended.filter { $0.value > now } }
            if ended.count >= Self.mostEnded, let first = ended.min(by: { $0.value < $1.value }) { ended[first.key] = nil }
            ended[session.id] = session.ends
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
