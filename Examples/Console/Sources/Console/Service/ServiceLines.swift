internal import AdminExportAPI
import AdminExportClient
import Dispatch
import Synchronization

/// Connections to the service that are shared: made when they are needed, and anew when they have ended. So many at most.
final class ServiceLines: Sendable {
    private struct Line {
        let id: Int
        /// Whoever comes while it is being connected waits for it too.
        let connecting: Task<Client, any Error>
        var client: Client?
        var uses = 1
    }

    private struct State {
        var lines: [Line] = []
        var nextID = 0
    }

    private let socket: String
    private let most: Int
    /// Uses of one at a time; nil where any number may share the last.
    private let mostUses: Int?
    private let state = Mutex(State())

    init(socket: String, most: Int, mostUses: Int? = nil) {
        self.socket = socket
        self.most = most
        self.mostUses = mostUses
    }

    /// Lends a connection to the body.
    ///
    /// - Throws: ``ClientError``: `overloaded` where all are used; what the body throws.
    func lend<Result>(_ body: (Client) async throws -> Result) async throws -> Result {
        let (id, connecting) = try take()
        defer { giveBack(id) }
        let client: Client
        do {
            client = try await connecting.value
        } catch {
            state.withLock { $0.lines.removeAll { $0.id == id } }
            throw error
        }
        state.withLock { state in
            if let index = state.lines.firstIndex(where: { $0.id == id }) { state.lines[index].client = client }
        }
        return try await body(client)
    }

    /// It serves those who have it, and nobody else.
    func drop(_ client: Client) {
        state.withLock { $0.lines.removeAll { $0.client === client } }
    }

    /// The next one goes elsewhere, if there is another.
    func avoid(_ client: Client) {
        state.withLock { state in
            guard let index = state.lines.firstIndex(where: { $0.client === client }) else { return }
            state.lines.append(state.lines.remove(at: index))
        }
    }

    private func take() throws -> (id: Int, connecting: Task<Client, any Error>) {
        try state.withLock { state in
            state.lines.removeAll { $0.client?.isOpen == false }
            let hasRoom = { (line: Line) in line.uses < self.mostUses ?? 1 }
            if let index = state.lines.firstIndex(where: hasRoom) ?? leastUsed(state.lines) {
                state.lines[index].uses += 1
                return (state.lines[index].id, state.lines[index].connecting)
            }
            guard state.lines.count < most else {
                throw ClientError(
                    .service(code: ErrorKind.overloaded.code, kind: ErrorKind.overloaded.rawValue),
                    "all connections to the service are in use", isRetryable: true)
            }
            // Connecting blocks, for some seconds where the service takes nobody: beside the task pool, and outside of the lock.
            let connecting = Task { [socket] in
                try await withCheckedThrowingContinuation { continuation in
                    DispatchQueue.global().async { continuation.resume(with: Result { try Client(socket: socket) }) }
                }
            }
            defer { state.nextID += 1 }
            state.lines.append(Line(id: state.nextID, connecting: connecting))
            return (state.nextID, connecting)
        }
    }

    private func leastUsed(_ lines: [Line]) -> Int? {
        guard mostUses == nil, lines.count >= most else { return nil }
        return lines.indices.min { lines[$0].uses < lines[$1].uses }
    }

    private func giveBack(_ id: Int) {
        state.withLock { state in
            guard let index = state.lines.firstIndex(where: { $0.id == id }) else { return }
            state.lines[index].uses -= 1
            // Of those with a limit there may be many for a while.
            if state.lines[index].uses == 0, mostUses != nil { state.lines.remove(at: index) }
        }
    }
}
