internal import AdminExportAPI
import AdminExportClient
import Dispatch
import Synchronization

/// A limited number of shared connections to the service. It opens a connection when one is needed, and replaces connections that have
/// ended.
final class ServiceLines: Sendable {
    private struct Line {
        let id: Int
        /// Concurrent callers wait for the same connection attempt.
        let connecting: Task<Client, any Error>
        var client: Client?
        var uses = 1
    }

    private struct State {
        var lines: [Line] = []
        var nextID = 0
    }

    private let socket: String
    private let maxConnections: Int
    /// The maximum number of concurrent uses of a connection; nil for no limit once all connections exist.
    private let maxUses: Int?
    private let state = Mutex(State())

    init(socket: String, maxConnections: Int, maxUses: Int? = nil) {
        self.socket = socket
        self.maxConnections = maxConnections
        self.maxUses = maxUses
    }

    /// Lends a connection to the body.
    ///
    /// - Throws: ``ClientError`` `overloaded` if all connections are in use; the errors of the body.
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

    /// Lends the connection to no further caller. Its present users keep it.
    func drop(_ client: Client) {
        state.withLock { $0.lines.removeAll { $0.client === client } }
    }

    /// Prefers other connections for the next caller.
    func avoid(_ client: Client) {
        state.withLock { state in
            guard let index = state.lines.firstIndex(where: { $0.client === client }) else { return }
            state.lines.append(state.lines.remove(at: index))
        }
    }

    private func take() throws -> (id: Int, connecting: Task<Client, any Error>) {
        try state.withLock { state in
            state.lines.removeAll { $0.client?.isOpen == false }
            let hasRoom = { (line: Line) in line.uses < self.maxUses ?? 1 }
            if let index = state.lines.firstIndex(where: hasRoom) ?? leastUsed(state.lines) {
                state.lines[index].uses += 1
                return (state.lines[index].id, state.lines[index].connecting)
            }
            guard state.lines.count < maxConnections else {
                throw ClientError(
                    .service(code: ErrorKind.overloaded.code, kind: ErrorKind.overloaded.rawValue),
                    "all connections to the service are in use", isRetryable: true)
            }
            // Connecting blocks, for some seconds if the service accepts no connection. It runs outside of the task pool and of the lock.
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
        guard maxUses == nil, lines.count >= maxConnections else { return nil }
        return lines.indices.min { lines[$0].uses < lines[$1].uses }
    }

    private func giveBack(_ id: Int) {
        state.withLock { state in
            guard let index = state.lines.firstIndex(where: { $0.id == id }) else { return }
            state.lines[index].uses -= 1
            // Connections with a limit can be many for a short time: close those that are not in use.
            if state.lines[index].uses == 0, maxUses != nil { state.lines.remove(at: index) }
        }
    }
}
