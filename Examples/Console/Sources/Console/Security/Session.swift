internal import AdminExportAPI
import AdminExportClient
import Foundation

/// A user's session, as the cookie contains it.
struct Session: Codable, Sendable, Equatable {
    /// The lifetime of a session, in seconds.
    static let length: TimeInterval = 8 * 3_600

    /// The value to which the tokens of forms are bound.
    let id: String
    /// nil before the user has signed in.
    let tenant: String?
    let administrator: String?
    let ends: Date

    init(_ actor: ActorName?, id: String = UUID().uuidString, now: Date = .now) {
        self.id = id
        tenant = actor?.tenant
        administrator = actor?.administrator
        ends = now + Self.length
    }

    var actor: ActorName? {
        guard let tenant, let administrator else { return nil }
        return ActorName(tenant: tenant, administrator: administrator)
    }
}
