internal import AdminExportAPI
import AdminExportClient

/// How the console calls the service.
///
/// The service takes so many connections of a user, and so many watches and calls on each (`service.info`); the numbers here are below
/// those that it is shipped with, and where it says that it has enough, it is asked elsewhere or later.
struct ServiceConnections: Sendable {
    private let callers: ServiceLines
    private let watchers: ServiceLines

    init(socket: String) {
        callers = ServiceLines(socket: socket, most: 4)
        watchers = ServiceLines(socket: socket, most: 16, mostUses: 16)
    }

    /// Calls a method. On a connection that turns out to have ended the call is repeated once, on another.
    ///
    /// - Throws: ``ClientError``, `CancellationError`.
    func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        try await withClient { try await $0.call(method, params, timeout: timeout) }
    }

    /// Lends a connection for calls. The body may be run twice.
    func withClient<Result>(_ body: (Client) async throws -> Result) async throws -> Result {
        do {
            return try await lending(body)
        } catch let error as ClientError where error.code == .connectionLost || error.isShuttingDown {
            return try await lending(body)
        }
    }

    private func lending<Result>(_ body: (Client) async throws -> Result) async throws -> Result {
        try await callers.lend { client in
            do {
                return try await body(client)
            } catch let error as ClientError where error.isShuttingDown {
                // It answers nothing else on this connection any more.
                callers.drop(client)
                throw error
            }
        }
    }

    /// Watches a job on a connection that has room.
    ///
    /// - Throws: ``ClientError``: `overloaded` where none has.
    func watching<Result>(
        _ actor: Actor, job: String, _ body: (Job, AsyncThrowingStream<Job, any Error>) async throws -> Result
    ) async throws -> Result {
        try await watchers.lend { client in
            let watch: (job: Job, changes: AsyncThrowingStream<Job, any Error>)
            do {
                watch = try await client.watch(actor, job: job)
            } catch let error as ClientError where error.kind == ErrorKind.overloaded.rawValue {
                // It has fewer places than are counted here.
                watchers.avoid(client)
                throw error
            }
            return try await body(watch.job, watch.changes)
        }
    }
}

extension ClientError {
    fileprivate var isShuttingDown: Bool { kind == ErrorKind.shuttingDown.rawValue }
}
