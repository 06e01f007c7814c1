public import AdminExportAPI
public import Foundation
private import Synchronization

/// A client whose calls survive a restart of the service.
///
/// If the connection is lost, or the service refuses a call because it stops or is overloaded, the client repeats the call on a
/// new connection: for a minute by default, with growing pauses. It repeats only calls that may be made twice
/// (``Method/isRepeatable(_:)``), and an ``ExportStart`` only with an idempotency key. A download continues at the byte that it
/// has reached.
///
/// ```swift
/// let service = try ReconnectingClient(socket: "/run/adminexport/adminexport.sock")
/// let job = try await service.call(ExportStart.self, .init(actor: actor, idempotencyKey: UUID().uuidString)).job
/// let done = try await service.finish(actor, job: job.id)
/// try await service.download(actor, job: done.id) { try file.write(contentsOf: $0) }
/// ```
///
/// Subscriptions belong to a connection: watch with ``Client``, or use ``finish(_:job:_:)``.
public final class ReconnectingClient: Sendable {
    public static let defaultPatience: Duration = .seconds(60)
    /// How long ``finish(_:job:_:)`` tolerates a service that answers but has no database. Exports wait for the database too.
    private static let databasePatience: Duration = .seconds(120)

    private let patience: Duration
    private let connect: @Sendable () throws -> Client
    private let failed: @Sendable (_ failure: ClientError, _ failures: Int) -> Void
    /// Nil if the last connection must not be used again.
    private let current: Mutex<Client?>

    /// Connects.
    ///
    /// - Parameters:
    ///   - patience: how long a call is repeated after the service is lost.
    ///   - failed: called for each failure that another attempt follows, with the number of failures since the last success.
    /// - Throws: ``ClientError`` if the service cannot be reached now; see ``waiting(forSocket:patience:failed:)``.
    public convenience init(
        socket path: String = Client.defaultSocket, patience: Duration = ReconnectingClient.defaultPatience,
        failed: @escaping @Sendable (_ failure: ClientError, _ failures: Int) -> Void = { _, _ in }
    ) throws {
        try self.init(patience: patience, failed: failed) { try Client(socket: path) }
    }

    /// - Parameter connect: makes a connection, each time that one is needed.
    package init(
        patience: Duration, failed: @escaping @Sendable (ClientError, Int) -> Void = { _, _ in },
        connect: @escaping @Sendable () throws -> Client
    ) throws {
        self.patience = patience
        self.failed = failed
        self.connect = connect
        current = Mutex(try connect())
    }

    /// Connects like ``init(socket:patience:failed:)``, but also waits for a service that does not run yet.
    public static func waiting(
        forSocket path: String = Client.defaultSocket, patience: Duration = ReconnectingClient.defaultPatience,
        failed: @escaping @Sendable (_ failure: ClientError, _ failures: Int) -> Void = { _, _ in }
    ) async throws -> ReconnectingClient {
        var reconnection = Reconnection(patience: patience)
        while true {
            do {
                return try ReconnectingClient(socket: path, patience: patience, failed: failed)
            } catch let error as ClientError where error.code == .unreachable {
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    // MARK: Calls

    /// Calls a method. Repeats the call if the connection is lost and the call may be made twice.
    ///
    /// - Parameter timeout: of one attempt.
    /// - Throws: ``ClientError``; `CancellationError` where the task is cancelled.
    public func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        var reconnection = Reconnection(patience: patience)
        let mayRepeat = Called.isRepeatable(params)
        while true {
            var client: Client?
            do {
                let connected = try connected()
                client = connected
                return try await connected.call(method, params, timeout: timeout)
            } catch let error as ClientError where error.mayPass(reconnection) && (mayRepeat || client == nil) {
                leave(client, after: error)
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    /// Waits until a job is final. A service that is without its database meanwhile is asked again, for two minutes at least.
    ///
    /// - Parameters:
    ///   - actor: who asked for it; nil for an operator.
    ///   - change: called with the job as it stands now and at each change.
    public func finish(_ actor: ActorName?, job id: String, _ change: (Job) -> Void = { _ in }) async throws -> Job {
        var known: Job?
        var lastAnswer = ContinuousClock.now
        while true {
            do {
                let job =
                    if let known {
                        try await call(
                            ExportWait.self,
                            .init(actor: actor, job: id, afterRevision: known.revision, timeoutMs: 20_000),
                            timeout: .seconds(40)
                        ).job
                    } else {
                        try await call(ExportGet.self, .init(actor: actor, job: id)).job
                    }
                change(job)
                if job.state.isFinal { return job }
                known = job
                lastAnswer = .now
            } catch let error as ClientError
                where error.kind == ErrorKind.unavailable.rawValue && .now - lastAnswer < Self.databasePatience
            {
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Reads a finished workbook and hands its bytes on in order, each once: after a lost connection from where it stopped.
    ///
    /// - Parameter inParts: through the socket, and not by a pipe that the service passes.
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: ActorName, job: String, inParts: Bool = false, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = 0
        var reconnection = Reconnection(patience: patience)
        while true {
            let start = offset
            var client: Client?
            do {
                let connected = try connected()
                client = connected
                let take = { (data: Data) async throws in
                    do {
                        try await body(data)
                    } catch let error as ClientError {
                        throw Taken(error: error)
                    }
                    offset += data.count
                }
                if inParts {
                    try await connected.downloadInParts(actor, job: job, from: offset, take)
                } else {
                    try await connected.download(actor, job: job, from: offset, take)
                }
                return
            } catch let taken as Taken {
                throw taken.error
            } catch let error as ClientError where error.mayPass(reconnection) {
                leave(client, after: error)
                // An attempt that received bytes resets the patience, even if its connection was lost in the end.
                if offset > start { reconnection.succeed() }
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    /// A ``ClientError`` that the caller's own code threw: it is not a failure of the connection.
    private struct Taken: Error {
        let error: ClientError
    }

    // MARK: Connections

    /// The open connection, or a new one if there is none.
    private func connected() throws -> Client {
        if let client = current.withLock({ $0 }), client.isOpen { return client }
        let new = try connect()
        return current.withLock { current in
            // Another task may have connected meanwhile.
            if let current, current.isOpen { return current }
            current = new
            return new
        }
    }

    /// Makes the next call open another connection. Calls that wait for an answer on this one still receive it.
    private func leave(_ client: Client?, after error: ClientError) {
        // A service that stops refuses all further calls on an open connection, and one that hangs does not recover on it.
        guard let client, error.code == .timedOut || error.kind == ErrorKind.shuttingDown.rawValue else { return }
        current.withLock { current in
            if current === client { current = nil }
        }
    }

    /// - Throws: the failure, if the patience is used up.
    private static func pause(
        _ reconnection: inout Reconnection, after error: ClientError, _ failed: (ClientError, Int) -> Void
    ) async throws {
        guard let pause = reconnection.pause(at: .now, random: .random(in: 0...1)) else { throw error }
        failed(error, reconnection.failures)
        try await Task.sleep(for: pause)
    }
}

extension ClientError {
    /// Whether the same call may succeed in a moment on another connection. A full queue or an unfinished export takes longer: the
    /// caller decides whether to repeat the call.
    fileprivate func mayPass(_ reconnection: Reconnection) -> Bool {
        switch code {
        case .unreachable, .connectionLost, .timedOut: true
        case .socketDenied, .protocolViolation, .descriptorLost: false
        case .service(_, let kind):
            switch ErrorKind(rawValue: kind) {
            case .shuttingDown, .overloaded: true
            // The caller also decides about an unreachable database, unless the restart that the call survives made it unreachable.
            case .unavailable: reconnection.failures > 0
            default: false
            }
        }
    }
}
