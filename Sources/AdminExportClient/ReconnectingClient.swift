public import AdminExportAPI
public import Foundation
private import Synchronization

/// A client whose calls survive a restart of the service.
///
/// If the connection is lost, or the service refuses a call because it stops or is overloaded, the client repeats the call:
/// for a minute by default, with growing pauses, and on a new connection if necessary. It repeats only calls that may be made
/// twice (``Method/isRepeatable(_:)``), and an ``ExportStart`` only with an idempotency key. A download continues at the byte
/// that it has reached.
///
/// ```swift
/// let service = try ReconnectingClient(socket: "/run/adminexport/adminexport.sock")
/// let job = try await service.call(ExportStart.self, .init(actor: actor, idempotencyKey: UUID().uuidString)).job
/// let done = try await service.finish(actor, job: job.id)
/// try await service.download(actor, job: done.id) { try file.write(contentsOf: $0) }
/// ```
///
/// Subscriptions belong to a connection: watch with ``Client``, or use ``finish(_:job:_:)``.
public final class ReconnectingClient: Sendable, MethodCaller {
    /// How long a call is repeated by default: 60 seconds.
    public static let defaultRetryTimeout: Duration = .seconds(60)

    private let retryTimeout: Duration
    private let connect: @Sendable () throws -> Client
    private let failed: @Sendable (_ failure: ClientError, _ failures: Int) -> Void
    /// Nil if the last connection must not be used again.
    private let current: Mutex<Client?>

    /// Connects.
    ///
    /// - Parameters:
    ///   - retryTimeout: how long a call is repeated after the service is lost.
    ///   - failed: called for each failure that another attempt follows, with the number of failures since the last success.
    /// - Throws: ``ClientError`` if the service cannot be reached now; see ``waiting(forSocket:retryTimeout:failed:)``.
    public convenience init(
        socket path: String = Client.defaultSocket, retryTimeout: Duration = ReconnectingClient.defaultRetryTimeout,
        failed: @escaping @Sendable (_ failure: ClientError, _ failures: Int) -> Void = { _, _ in }
    ) throws {
        try self.init(retryTimeout: retryTimeout, failed: failed) { try Client(socket: path) }
    }

    /// - Parameter connect: creates a connection. Called each time that the client needs one.
    package init(
        retryTimeout: Duration, failed: @escaping @Sendable (ClientError, Int) -> Void = { _, _ in },
        connect: @escaping @Sendable () throws -> Client
    ) throws {
        self.retryTimeout = retryTimeout
        self.failed = failed
        self.connect = connect
        current = Mutex(try connect())
    }

    /// Connects like ``init(socket:retryTimeout:failed:)``, but also waits for a service that does not run yet.
    public static func waiting(
        forSocket path: String = Client.defaultSocket, retryTimeout: Duration = ReconnectingClient.defaultRetryTimeout,
        failed: @escaping @Sendable (_ failure: ClientError, _ failures: Int) -> Void = { _, _ in }
    ) async throws -> ReconnectingClient {
        var reconnection = Reconnection(retryTimeout: retryTimeout)
        while true {
            do {
                return try ReconnectingClient(socket: path, retryTimeout: retryTimeout, failed: failed)
            } catch let error as ClientError where error.code == .unreachable {
                try await Self.pause(&reconnection, after: error, failed)
            }
        }
    }

    // MARK: Calls

    /// Calls a method. Repeats the call if the connection is lost and the call may be made twice.
    ///
    /// - Parameter timeout: how long one attempt waits for the answer.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled.
    public func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        var reconnection = Reconnection(retryTimeout: retryTimeout)
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

    /// Waits until a job is final. If the service answers but has no database, the client repeats its requests for two minutes.
    ///
    /// - Parameters:
    ///   - actor: the administrator of the job; nil for an operator.
    ///   - change: called with the present state of the job, and at each change.
    /// - Returns: the final job.
    public func finish(_ actor: ActorName?, job id: String, _ change: (Job) -> Void = { _ in }) async throws -> Job {
        try await waitUntilFinal(actor, id, change)
    }

    /// Reads a finished workbook and passes its bytes on in order, each once. After a lost connection, it continues at the byte
    /// that it has reached.
    ///
    /// - Parameters:
    ///   - inParts: whether to read through the socket, and not through a pipe that the service passes.
    ///   - body: called with each block of bytes.
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: ActorName, job: String, inParts: Bool = false, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = 0
        var reconnection = Reconnection(retryTimeout: retryTimeout)
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
                // An attempt that received bytes resets the time, even if its connection was lost in the end.
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

    /// - Throws: the failure, if the time is up.
    private static func pause(
        _ reconnection: inout Reconnection, after error: ClientError, _ failed: (ClientError, Int) -> Void
    ) async throws {
        guard let pause = reconnection.pause(at: .now, random: .random(in: 0...1)) else { throw error }
        failed(error, reconnection.failures)
        try await Task.sleep(for: pause)
    }
}

extension ClientError {
    /// Whether the same call may succeed in a moment on another connection. A full queue or an unfinished export takes longer,
    /// so the caller decides whether to repeat the call.
    fileprivate func mayPass(_ reconnection: Reconnection) -> Bool {
        switch code {
        case .unreachable, .connectionLost, .timedOut: true
        case .socketDenied, .protocolViolation, .descriptorLost: false
        case .service(_, let kind):
            switch ErrorKind(rawValue: kind) {
            case .shuttingDown, .overloaded: true
            // The caller also decides about an unavailable database, unless it became unavailable in the restart that the call
            // survives.
            case .unavailable: reconnection.failures > 0
            default: false
            }
        }
    }
}

/// Decides when a call whose connection was lost is made again. A pure value: the time and a random number are parameters.
///
/// Pauses double from 50 ms to 2 s. Each is shortened by a random amount, up to a half, so that clients that lost a service at
/// the same time do not reconnect at the same time.
struct Reconnection {
    private static let minPause: Duration = .milliseconds(50)
    private static let maxPause: Duration = .seconds(2)

    /// How long attempts go on, counted from the first failure after the last success.
    let retryTimeout: Duration
    private var began: ContinuousClock.Instant?
    private(set) var failures = 0

    init(retryTimeout: Duration) {
        self.retryTimeout = retryTimeout
    }

    /// An attempt has made progress.
    mutating func succeed() {
        began = nil
        failures = 0
    }

    /// - Parameter random: 0 to 1.
    /// - Returns: how long to wait before the next attempt; nil if there is none.
    mutating func pause(at now: ContinuousClock.Instant, random: Double) -> Duration? {
        let began = self.began ?? now
        self.began = began
        let left = retryTimeout - (now - began)
        guard left > .zero else { return nil }
        let full = failures < 6 ? min(Self.minPause * (1 << failures), Self.maxPause) : Self.maxPause
        failures += 1
        return min(full * (1 - random / 2), left)
    }
}
