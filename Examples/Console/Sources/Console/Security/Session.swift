internal import AdminExportAPI
import AdminExportClient
import Foundation

/// A visitor's session, as their cookie has it.
struct Session: Codable, Sendable, Equatable {
    /// How long one lasts.
    static let length: TimeInterval = 8 * 3_600

    /// What forms are bound to.
    let id: String
    /// Nobody before somebody has signed in.
    let tenant: String?
    let administrator: String?
    let ends: Date

    init(_ actor: Actor?, id: String = UUID().uuidString, now: Date = .now) {
        self.id = id
        tenant = actor?.tenant
        administrator = actor?.administrator
        ends = now + Self.length
    }

    var actor: Actor? {
        guard let tenant, let administrator else { return nil }
        return Actor(tenant: tenant, administrator: administrator)
    }
}
