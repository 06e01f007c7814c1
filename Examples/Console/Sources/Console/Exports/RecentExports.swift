internal import AdminExportAPI
import AdminExportClient

/// The visitor's exports.
struct RecentExports: Sendable {
    let connections: ServiceConnections

    /// Those that are queued or running. A service that does not answer, or not soon, keeps nobody from their pages.
    func active(_ actor: Actor) async -> [Job] {
        let result = try? await connections.call(
            ExportList.self, .init(actor: actor, states: [.queued, .running], limit: ExportEvents.maxJobs),
            timeout: .seconds(3))
        return result?.jobs ?? []
    }

    func page(_ actor: Actor, cursor: String?) async throws -> ExportList.Result {
        try await connections.call(ExportList.self, .init(actor: actor, limit: 20, cursor: cursor))
    }
}
