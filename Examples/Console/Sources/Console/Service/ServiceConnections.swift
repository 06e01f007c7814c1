import Client
import Foundation
import Synchronization

/// Connections to the service: one for calls, made anew when it has ended, and a few for watches, since the service takes a limited
/// number of them on each.
final class ServiceConnections: Sendable {
    /// What the service takes on one connection (`service.info`, `subscriptions`), as it is shipped.
    private static let watchesOfConnection = 16
    /// With the one for calls these stay under the service's 32 connections for a user.
    private static let mostWatchConnections = 24

    private let socket: String
    private let state = Mutex(State())

    private struct State {
        var client: Client?
        var watching: [(client: Client, watches: Int)] = []
    }

    init(socket: String) {
        self.socket = socket
    }

    /// Calls a method. A connection that turns out to have ended is replaced once: what is called here may be called twice.
    ///
    /// - Throws: ``ClientError``, `CancellationError`.
    func call<Called: Method>(_ method: Called.Type, _ params: Called.Params) async throws -> Called.Result {
        try await withClient { try await $0.call(method, params) }
    }

    /// Lends the connection for calls.
    func withClient<Result>(_ body: (Client) async throws -> Result) async throws -> Result {
        let (client, isNew) = try client()
        do {
            return try await body(client)
        } catch let error as ClientError where error.code == .connectionLost && !isNew {
            return try await body(try self.client().client)
        }
    }

    private func client() throws -> (client: Client, isNew: Bool) {
        try state.withLock { state in
            if let client = state.client, client.isOpen { return (client, false) }
            let client = try Client(socket: socket)
            state.client = client
            return (client, true)
        }
    }

    /// Watches a job on a connection that has room.
    ///
    /// - Throws: ``ClientError``: `overloaded` where none has.
    func watching<Result>(
        _ actor: Actor, job: String, _ body: (Job, AsyncThrowingStream<Job, any Error>) async throws -> Result
    ) async throws -> Result {
        let client = try takeWatch()
        defer { giveBack(client) }
        let (job, changes) = try await client.watch(actor, job: job)
        return try await body(job, changes)
    }

    private func takeWatch() throws -> Client {
        try state.withLock { state in
            // Those that have ended go with the last of their watches, which ends too.
            if let index = state.watching.firstIndex(where: { $0.client.isOpen && $0.watches < Self.watchesOfConnection }) {
                state.watching[index].watches += 1
                return state.watching[index].client
            }
            guard state.watching.count < Self.mostWatchConnections else {
                throw ClientError(
                    .service(code: ErrorKind.overloaded.code, kind: ErrorKind.overloaded.rawValue),
                    "too many exports are watched", isRetryable: true)
            }
            let client = try Client(socket: socket)
            state.watching.append((client, 1))
            return client
        }
    }

    private func giveBack(_ client: Client) {
        state.withLock { state in
            guard let index = state.watching.firstIndex(where: { $0.client === client }) else { return }
            state.watching[index].watches -= 1
            if state.watching[index].watches == 0 { state.watching.remove(at: index) }
        }
    }
}
