public import AdminExportAPI
public import Foundation
private import JSONRPC
private import Sockets
private import Synchronization

/// A connection to the service, with typed calls.
///
/// ```swift
/// let client = try Client(socket: "/run/adminexport/adminexport.sock")
/// let job = try await client.call(ExportStart.self, .init(actor: actor)).job
/// ```
///
/// Calls may run side by side. A client whose connection has ended stays ended; make a new one.
public final class Client: Sendable {
    /// Where the packaged service listens.
    public static let defaultSocket = "/run/adminexport/adminexport.sock"

    /// A reply's line may be longer than a request's: a part of a file in base64 and what is around it.
    private static let longestLine = 8 * 1024 * 1024
    private static let writeTimeout: Duration = .seconds(30)

    private let socket: ClientSocket
    private let state = Mutex(State())
    /// Writes block, and must not do so on a thread of the task pool.
    private let writer = DispatchQueue(label: "client-writer")

    private struct Waiting {
        let continuation: CheckedContinuation<Data, any Error>
        /// Done with a result before anything that comes after it is looked at.
        let receive: (@Sendable (Data, Descriptor?) -> Void)?
        /// Done instead with a result that nobody waits for any more.
        let late: (@Sendable (Data) -> Void)?
    }

    private struct State {
        var nextID = 1
        var waiting: [Int: Waiting] = [:]
        /// Calls whose result takes a descriptor, also when nobody waits for it any more.
        var opening: Set<Int> = []
        /// What is to be done with results that nobody waits for any more.
        var late: [Int: @Sendable (Data) -> Void] = [:]
        var descriptors = DescriptorQueue()
        var subscriptions: [String: AsyncThrowingStream<Job, any Error>.Continuation] = [:]
        var ended: ClientError?
    }

    /// Connects.
    ///
    /// - Throws: ``ClientError``: `unreachable` or `socketDenied`.
    public init(socket path: String = Client.defaultSocket) throws {
        do {
            socket = try ClientSocket(path: path)
        } catch {
            throw ClientError(error.code == .permissionDenied ? .socketDenied : .unreachable, error.message)
        }
        startReading()
    }

    /// Takes over a socket that is connected already.
    package init(connected descriptor: Int32) {
        socket = ClientSocket(adopting: descriptor)
        startReading()
    }

    private func startReading() {
        let thread = Thread { [socket, weak self] in
            var framer = LineFramer(limit: Self.longestLine)
            while true {
                let received = socket.receive()
                guard !received.bytes.isEmpty, let client = self else { break }
                // Before the lines: theirs are among them.
                client.keep(received)
                for case .line(let line) in framer.append(received.bytes) { client.receive(Data(line)) }
            }
            self?.end(ClientError(.connectionLost, "the service closed the connection", isRetryable: true))
        }
        thread.name = "client-reader"
        thread.start()
    }

    deinit {
        socket.shutdown()
    }

    /// Whether calls may still be made. The other side may end the connection at any moment.
    public var isOpen: Bool {
        state.withLock { $0.ended == nil }
    }

    /// Ends the connection; calls that wait fail.
    public func close() {
        end(ClientError(.connectionLost, "the connection was closed"))
    }

    // MARK: Calls

    /// Calls a method.
    ///
    /// - Throws: ``ClientError``; `CancellationError` where the task is cancelled, which the service is told.
    public func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        let result = try await call(Called.name, params: try JSONEncoder().encode(params), timeout: timeout)
        do {
            return try JSONDecoder().decode(Called.Result.self, from: result)
        } catch {
            throw ClientError(.protocolViolation, "the service answered \(Called.name) with something else than a result")
        }
    }

    /// Calls a method by name, with parameters and result as JSON text.
    public func call(_ method: String, params: Data, timeout: Duration = .seconds(30)) async throws -> Data {
        try await call(method, params: params, timeout: timeout, nil)
    }

    /// - Parameters:
    ///   - receive: called by the thread that reads, with the result and its descriptor; not for an error.
    ///   - late: called by it with a result that came after the call had ended.
    func call(
        _ method: String, params: Data, timeout: Duration, late: (@Sendable (Data) -> Void)? = nil,
        _ receive: (@Sendable (Data, Descriptor?) -> Void)?
    ) async throws -> Data {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            if method == ExportOpen.name { state.opening.insert(state.nextID) }
            return state.nextID
        }
        let name = try JSONEncoder().encode(method)
        var line = Data("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":".utf8) + name
        line += Data(",\"params\":".utf8) + params + Data("}\n".utf8)
        let timer = Task {
            try await Task.sleep(for: timeout)
            self.fail(id, ClientError(.timedOut, "the service did not answer within \(timeout)", isRetryable: true))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let ended = state.withLock { state in
                    if state.ended == nil {
                        state.waiting[id] = Waiting(continuation: continuation, receive: receive, late: late)
                    }
                    return state.ended
                }
                if let ended { return continuation.resume(throwing: ended) }
                send(line)
                if Task.isCancelled { fail(id, CancellationError()) }
            }
        } onCancel: {
            send(Data("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\(id)}}\n".utf8))
            fail(id, CancellationError())
        }
    }

    private func send(_ line: Data) {
        writer.async { [self] in
            do throws(SocketError) {
                try socket.write(Array(line), timeout: Self.writeTimeout)
            } catch {
                // The reader takes what has come already, which may say why, and then ends the connection.
                socket.shutdown()
            }
        }
    }

    // MARK: Replies

    private func receive(_ line: Data) {
        struct Envelope: Decodable {
            let id: Int?
            let method: String?
        }
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: line) else {
            return end(ClientError(.protocolViolation, "the service sent an unknown line"))
        }
        if let id = envelope.id {
            answer(id, Swift.Result { try Self.result(of: line) })
        } else if envelope.method != nil {
            notify(line)
        } else if case .failure(let error) = Swift.Result(catching: { try Self.result(of: line) }) {
            // An error without an id is about the connection: too many of them, or a line that was not understood.
            end(error as? ClientError ?? ClientError(.protocolViolation, "the service sent an unknown line"))
        }
    }

    private func answer(_ id: Int, _ result: Swift.Result<Data, any Error>) {
        let isResult = if case .success = result { true } else { false }
        let (waiting, late, descriptor) = state.withLock { state in
            let isOpening = state.opening.remove(id) != nil
            return (
                state.waiting.removeValue(forKey: id), state.late.removeValue(forKey: id),
                isOpening && isResult ? state.descriptors.next() : nil
            )
        }
        if case .success(let data) = result {
            waiting?.receive?(data, descriptor)
            late?(data)
        }
        waiting?.continuation.resume(with: result)
    }

    private func keep(_ received: ClientSocket.Received) {
        let isSane = state.withLock { $0.descriptors.add(received) }
        if !isSane { end(ClientError(.protocolViolation, "the service sent descriptors that nobody asked for")) }
    }

    // MARK: Subscriptions

    /// Notifications of the subscription go to the stream from now on.
    func subscribe(_ id: String, _ stream: AsyncThrowingStream<Job, any Error>.Continuation) {
        state.withLock { $0.subscriptions[id] = stream }
    }

    func unsubscribe(_ id: String) {
        state.withLock { $0.subscriptions[id] = nil }
    }

    private func notify(_ line: Data) {
        struct Notification: Decodable { let params: ExportChanged }
        // Notifications that are not known are for later versions of this client.
        guard let change = (try? JSONDecoder().decode(Notification.self, from: line))?.params else { return }
        let stream = state.withLock { state in
            change.job.state.isFinal
                ? state.subscriptions.removeValue(forKey: change.subscription) : state.subscriptions[change.subscription]
        }
        stream?.yield(change.job)
        if change.job.state.isFinal { stream?.finish() }
    }

    // MARK: Ends

    private func fail(_ id: Int, _ error: any Error) {
        let waiting = state.withLock { state in
            let waiting = state.waiting.removeValue(forKey: id)
            if let late = waiting?.late { state.late[id] = late }
            return waiting
        }
        waiting?.continuation.resume(throwing: error)
    }

    private func end(_ error: ClientError) {
        // The service is not to serve a client that listens no more.
        defer { socket.shutdown() }
        let (waiting, subscriptions) = state.withLock { state in
            state.ended = state.ended ?? error
            defer { (state.waiting, state.late, state.subscriptions) = ([:], [:], [:]) }
            return (state.waiting, state.subscriptions)
        }
        for waiting in waiting.values { waiting.continuation.resume(throwing: error) }
        for stream in subscriptions.values { stream.finish(throwing: error) }
    }

    /// The `result` member's bytes, or the `error` member as an error.
    private static func result(of reply: Data) throws -> Data {
        struct Failure: Decodable {
            struct Body: Decodable {
                struct Details: Decodable {
                    let kind: String?
                    let retryable: Bool?
                    let reason: String?
                }
                let code: Int
                let message: String
                let data: Details?
            }
            let error: Body
        }
        guard let root = (try? JSONDocument(scanning: [UInt8](reply), depth: 64, values: 1_000_000))?.root,
            root.kind == .object
        else {
            throw ClientError(.protocolViolation, "the service sent a line that is not a JSON object")
        }
        if let result = root.members.first(where: { $0.name.isString("result") }) { return Data(result.value.bytes) }
        guard let error = (try? JSONDecoder().decode(Failure.self, from: reply))?.error else {
            throw ClientError(.protocolViolation, "the service sent a reply with neither result nor error")
        }
        throw ClientError(
            .service(code: error.code, kind: error.data?.kind ?? "unknown"), error.message,
            isRetryable: error.data?.retryable ?? false, reason: error.data?.reason)
    }
}
