public import ExportAPI
public import Foundation
private import Synchronization

/// Calls that outlive restarts of the service.
///
/// A call whose connection is lost, or that the service refuses because it stops or has no room for the moment, is made again
/// on a new connection: for a minute, unless told otherwise, with growing pauses. That is done with calls that may be made twice
/// (``Method/isRepeatable(_:)``) and with no others; of ``ExportStart`` with those that carry an idempotency key. A file goes on at
/// the byte that it has reached.
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
    /// How long ``finish(_:job:_:)`` bears a service that answers and has no database: its exports wait for it too.
    private static let databasePatience: Duration = .seconds(120)

    private let patience: Duration
    private let connect: @Sendable () throws -> Client
    private let failed: @Sendable (_ failure: ClientError, _ failures: Int) -> Void
    /// Nil where the one before is of no more use.
    private let current: Mutex<Client?>

    /// Connects.
    ///
    /// - Parameters:
    ///   - patience: for how long a lost service is called again.
    ///   - failed: told of each failure that is followed by another try, with how many there were since the last success.
    /// - Throws: ``ClientError`` where the service cannot be reached now: one that was never there is not waited for.
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

    /// As ``init(socket:patience:failed:)``, and a service that is not there yet is waited for as one that was lost.
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

    /// Calls a method; again where the connection is lost and the call may be made twice.
    ///
    /// - Parameter timeout: of one try.
    /// - Throws: ``ClientError``; `CancellationError` where the task is cancelled.
    public func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        var reconnection = Reconnection(patience: patience)
        let mayRepeat = Called.isRepeatable(params)
        return try await trying(&reconnection, mayRepeat) { client in
            try await client.call(method, params, timeout: timeout)
        }
    }

    /// Waits until a job is final. A service that is without its database meanwhile is asked again, for two minutes at least.
    ///
    /// - Parameters:
    ///   - actor: who asked for it; nil for an operator.
    ///   - change: called with the job as it stands now and at each change.
    public func finish(_ actor: Actor?, job id: String, _ change: (Job) -> Void = { _ in }) async throws -> Job {
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
        _ actor: Actor, job: String, inParts: Bool = false, _ body: (Data) async throws -> Void
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
                // Whoever gets on is not lost, however often the connection is.
                if offset > start { reconnection.succeed() }
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    /// What the caller's own code has thrown: no fault of the connection, even where it is of its type.
    private struct Taken: Error {
        let error: ClientError
    }

    // MARK: Connections

    private func trying<Result>(
        _ reconnection: inout Reconnection, _ mayRepeat: Bool, _ body: (Client) async throws -> Result
    ) async throws -> Result {
        while true {
            var client: Client?
            do {
                let connected = try connected()
                client = connected
                return try await body(connected)
            } catch let error as ClientError where error.mayPass(reconnection) && (mayRepeat || client == nil) {
                leave(client, after: error)
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    /// The connection that there is, or another where there is none.
    private func connected() throws -> Client {
        if let client = current.withLock({ $0 }), client.isOpen { return client }
        let new = try connect()
        return current.withLock { current in
            // Somebody else may have been faster.
            if let current, current.isOpen { return current }
            current = new
            return new
        }
    }

    /// Has the next call take another connection. What others have asked on this one is still answered.
    private func leave(_ client: Client?, after error: ClientError) {
        // A service that stops goes on refusing on a connection that it has, and one that hangs does not come back on it.
        guard let client, error.code == .timedOut || error.kind == ErrorKind.shuttingDown.rawValue else { return }
        current.withLock { current in
            if current === client { current = nil }
        }
    }

    /// - Throws: the failure, where there is no patience left.
    private static func pause(
        _ reconnection: inout Reconnection, after error: ClientError, _ failed: (ClientError, Int) -> Void
    ) async throws {
        guard let pause = reconnection.pause(at: .now, random: .random(in: 0...1)) else { throw error }
        failed(error, reconnection.failures)
        try await Task.sleep(for: pause)
    }
}

extension ClientError {
    /// Whether the same call may well succeed in a moment, on another connection. Not so a queue that is full or an export that is not
    /// done: those take longer, and whoever asks decides.
    fileprivate func mayPass(_ reconnection: Reconnection) -> Bool {
        switch code {
        case .unreachable, .connectionLost, .timedOut: true
        case .socketDenied, .protocolViolation, .descriptorLost: false
        case .service(_, let kind):
            switch ErrorKind(rawValue: kind) {
            case .shuttingDown, .overloaded: true
            // A database that is away is for the caller to decide about too, unless it comes of what the call is surviving.
            case .unavailable: reconnection.failures > 0
            default: false
            }
        }
    }
}
