internal import AdminExportAPI
import AdminExportClient

/// The connections through which the console calls the service.
///
/// The service limits the connections of a user, and the watches and calls of a connection (`service.info`). The numbers here are below
/// the default limits. If the service reports that a limit is reached, the console uses another connection or tries again later.
struct ServiceConnections: Sendable {
    private let callers: ServiceLines
    private let watchers: ServiceLines

    init(socket: String) {
        callers = ServiceLines(socket: socket, maxConnections: 4)
        watchers = ServiceLines(socket: socket, maxConnections: 16, maxUses: 16)
    }

    /// Calls a method. If the connection has ended, repeats the call once on another connection.
    ///
    /// - Throws: ``ClientError``, `CancellationError`.
    func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        try await withClient { try await $0.call(method, params, timeout: timeout) }
    }

    /// Lends a connection for calls. If the connection has ended, runs the body a second time.
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
                // The service answers no further request on this connection.
                callers.drop(client)
                throw error
            }
        }
    }

    /// Watches a job on a connection that is below its limit of watches.
    ///
    /// - Throws: ``ClientError`` `overloaded` if there is no such connection.
    func watching<Result>(
        _ actor: ActorName, job: String, _ body: (Job, AsyncThrowingStream<Job, any Error>) async throws -> Result
    ) async throws -> Result {
        try await watchers.lend { client in
            let watch: (job: Job, changes: AsyncThrowingStream<Job, any Error>)
            do {
                watch = try await client.watch(actor, job: job)
            } catch let error as ClientError where error.kind == ErrorKind.overloaded.rawValue {
                // The limit of the service is lower than the limit here.
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
