internal import AdminExportAPI
import AdminExportClient

/// The exports of a user.
struct RecentExports: Sendable {
    let connections: ServiceConnections

    /// The exports that are queued or running. Empty if the service does not answer soon, so that the page is shown anyway.
    func active(_ actor: ActorName) async -> [Job] {
        let result = try? await connections.call(
            ExportList.self, .init(actor: actor, states: [.queued, .running], limit: ExportEvents.maxJobs),
            timeout: .seconds(3))
        return result?.jobs ?? []
    }

    func page(_ actor: ActorName, cursor: String?) async throws -> ExportList.Result {
        try await connections.call(ExportList.self, .init(actor: actor, limit: 20, cursor: cursor))
    }
}
