public import AdminExportAPI
public import Foundation
private import JSONRPC
internal import Sockets
private import Synchronization

/// A connection to the service, with typed calls.
///
/// ```swift
/// let client = try Client(socket: "/run/adminexport/adminexport.sock")
/// let job = try await client.call(ExportStart.self, .init(actor: actor)).job
/// ```
///
/// Calls can run at the same time. A client whose connection has ended cannot be used again: make a new one, or use
/// ``ReconnectingClient``.
public final class Client: Sendable {
    /// The socket of the packaged service.
    public static let defaultSocket = "/run/adminexport/adminexport.sock"

    /// The longest reply is one part of a workbook in base64.
    private static let maxLineBytes = 8 * 1_024 * 1_024
    private static let writeTimeout: Duration = .seconds(30)

    private let socket: ClientSocket
    private let state = Mutex(State())
    /// Writes block, so they must not run on a thread of the task pool.
    private let writer = DispatchQueue(label: "client-writer")

    private struct Waiting {
        let continuation: CheckedContinuation<Data, any Error>
        /// Runs with a result before the client reads anything that comes after it.
        let receive: (@Sendable (Data, Descriptor?) -> Void)?
        /// Runs instead if the result comes after the call has ended.
        let late: (@Sendable (Data) -> Void)?
    }

    private struct State {
        var nextID = 1
        var waiting: [Int: Waiting] = [:]
        /// Calls whose result comes with a descriptor, including those that have ended already.
        var opening: Set<Int> = []
        /// What to do with results of calls that have ended already.
        var late: [Int: @Sendable (Data) -> Void] = [:]
        var descriptors = DescriptorQueue()
        var subscriptions: [String: AsyncThrowingStream<Job, any Error>.Continuation] = [:]
        var ended: ClientError?
    }

    /// Connects to the service.
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

    /// Takes ownership of a connected socket.
    package init(connected descriptor: Int32) {
        socket = ClientSocket(adopting: descriptor)
        startReading()
    }

    private func startReading() {
        let thread = Thread { [socket, weak self] in
            var framer = LineFramer(limit: Self.maxLineBytes)
            while true {
                let received = socket.receive()
                guard !received.bytes.isEmpty, let client = self else { break }
                // The descriptors come first, because the lines refer to them.
                client.keep(received)
                for case .line(let line) in framer.append(received.bytes) { client.receive(Data(line)) }
            }
            self?.end(
                ClientError(.connectionLost, "the service closed the connection before it answered", isRetryable: true))
        }
        thread.name = "client-reader"
        thread.start()
    }

    deinit {
        socket.shutdown()
    }

    /// Whether calls can still be made. The service can end the connection at any moment.
    public var isOpen: Bool {
        state.withLock { $0.ended == nil }
    }

    /// Ends the connection. Calls that wait fail with `connectionLost`.
    public func close() {
        end(ClientError(.connectionLost, "this program closed the connection"))
    }

    // MARK: Calls

    /// Calls a method.
    ///
    /// - Parameter timeout: how long to wait for the answer.
    /// - Throws: ``ClientError``. `CancellationError` if the task is cancelled; the client then cancels the request too.
    public func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration = .seconds(30)
    ) async throws -> Called.Result {
        try await call(method, params, timeout: timeout, late: nil, receive: nil)
    }

    /// Calls a method by name.
    ///
    /// - Parameters:
    ///   - params: a JSON object, without line feeds.
    ///   - timeout: how long to wait for the answer.
    /// - Returns: the result as JSON.
    /// - Throws: as ``call(_:_:timeout:)``.
    public func call(_ method: String, params: Data, timeout: Duration = .seconds(30)) async throws -> Data {
        try await send(method, params, timeout: timeout, late: nil, receive: nil)
    }

    /// - Parameters:
    ///   - late: called with a result that came after the call had ended.
    ///   - receive: called by the reading thread with the result and its descriptor, before it reads anything else.
    private func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration,
        late: (@Sendable (Called.Result) -> Void)?, receive: (@Sendable (Called.Result, Descriptor?) -> Void)?
    ) async throws -> Called.Result {
        @Sendable func decode(_ json: Data) throws -> Called.Result {
            do {
                return try JSONDecoder().decode(Called.Result.self, from: json)
            } catch {
                throw ClientError(
                    .protocolViolation, "the service answered \(Called.name) with a result that does not match its schema")
            }
        }
        let json = try await send(
            Called.name, JSONEncoder().encode(params), timeout: timeout,
            late: late.map { late -> @Sendable (Data) -> Void in
                { json in if let result = try? decode(json) { late(result) } }
            },
            receive: { json, descriptor in
                if let receive, let result = try? decode(json) { receive(result, descriptor) }
            })
        return try decode(json)
    }

    private func send(
        _ method: String, _ params: Data, timeout: Duration, late: (@Sendable (Data) -> Void)?,
        receive: (@Sendable (Data, Descriptor?) -> Void)?
    ) async throws -> Data {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            if method == ExportOpen.name { state.opening.insert(state.nextID) }
            return state.nextID
        }
        var line = Data("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\(JSONText.quoted(method)),\"params\":".utf8)
        line += params + Data("}\n".utf8)
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
                write(line)
                if Task.isCancelled { fail(id, CancellationError()) }
            }
        } onCancel: {
            write(Data("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\(id)}}\n".utf8))
            fail(id, CancellationError())
        }
    }

    private func write(_ line: Data) {
        writer.async { [self] in
            do throws(SocketError) {
                try socket.write(Array(line), timeout: Self.writeTimeout)
            } catch {
                // The reading thread still reads what has arrived, which can contain the reason, and then ends the connection.
                socket.shutdown()
            }
        }
    }

    // MARK: Jobs

    /// Waits until a job is final. If the service has no database, the client repeats its requests for two minutes.
    ///
    /// - Parameters:
    ///   - actor: the administrator of the job; nil for an operator.
    ///   - change: called with the present state of the job, and at each change.
    /// - Returns: the final job.
    public func finish(_ actor: ActorName?, job id: String, _ change: (Job) -> Void = { _ in }) async throws -> Job {
        try await waitUntilFinal(actor, id, change)
    }

    /// Watches a job.
    ///
    /// - Parameter actor: the administrator of the job; nil for an operator.
    /// - Returns: the present state of the job, and a stream of its changes until it is final. A slow reader gets only the
    ///   latest state. The stream ends with a ``ClientError`` if the connection ends. If the reader ends the stream, the watch
    ///   ends.
    public func watch(
        _ actor: ActorName?, job: String
    ) async throws -> (job: Job, changes: AsyncThrowingStream<Job, any Error>) {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: Job.self, bufferingPolicy: .bufferingNewest(1))
        let unwatch: @Sendable (String) -> Void = { [weak self] subscription in
            guard let self else { return }
            Task { _ = try? await self.call(ExportUnwatch.self, .init(subscription: subscription)) }
        }
        let result = try await call(
            ExportWatch.self, JobParams(actor: actor, job: job), timeout: .seconds(30),
            // The call has ended, but the service keeps the subscription.
            late: { unwatch($0.subscription) },
            // On the reading thread, because the next line can be a notification.
            receive: { [weak self] result, _ in
                guard !result.job.state.isFinal else { return continuation.finish() }
                self?.state.withLock { $0.subscriptions[result.subscription] = continuation }
            })
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason, let self else { return }
            state.withLock { $0.subscriptions[result.subscription] = nil }
            unwatch(result.subscription)
        }
        return (result.job, stream)
    }

    // MARK: Workbooks

    /// Opens a finished workbook: the service passes a file descriptor.
    ///
    /// - Parameters:
    ///   - offset: bytes to skip from the start of the workbook; 0 for the archive.
    ///   - encoding: a pipe with the workbook's bytes, or the archive file itself.
    /// - Throws: ``ClientError``, also `descriptorLost`.
    public func open(
        _ actor: ActorName, job: String, offset: Int = 0, encoding: ExportOpen.Encoding = .identity
    ) async throws -> OpenWorkbook {
        let box = DescriptorBox()
        let params = ExportOpen.Params(actor: actor, job: job, offset: offset == 0 ? nil : offset, encoding: encoding)
        let result = try await call(
            ExportOpen.self, params, timeout: .seconds(30), late: nil, receive: { _, descriptor in box.put(descriptor) })
        switch box.take() {
        case .arrived(let descriptor): return try OpenWorkbook(result, descriptor)
        case .lost:
            throw ClientError(
                .descriptorLost,
                "this process has too many open files to receive one from the service: raise its limit (ulimit -n)")
        case nil: throw ClientError(.protocolViolation, "the service answered \(ExportOpen.name) without a file")
        }
    }

    /// The number of consecutive pipes that may end without a byte.
    private static let maxEmptyPipes = 3

    /// Reads a finished workbook, or a part of it, and passes its bytes on in order.
    ///
    /// The service passes a pipe. If the pipe ends too early, the client opens another one at that offset. If the service
    /// cannot pass a descriptor, the client reads the workbook in parts through the socket.
    ///
    /// - Parameters:
    ///   - start: the offset of the first byte.
    ///   - end: the offset after the last byte; nil for the end of the workbook.
    ///   - body: called with each block of bytes.
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: ActorName, job: String, from start: Int = 0, to end: Int? = nil, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = start
        var emptyPipes = 0
        do {
            while emptyPipes < Self.maxEmptyPipes {
                let workbook = try await open(actor, job: job, offset: offset)
                let end = min(end ?? workbook.size, workbook.size)
                let start = offset
                while offset < end, let data = try await workbook.read() {
                    try await body(data.prefix(end - offset))
                    offset += data.count
                }
                if offset >= end {
                    // Bytes after the part belong to the workbook, but there must be none after its end.
                    guard offset <= workbook.size else {
                        throw ClientError(.protocolViolation, "the service sent more bytes than the workbook has")
                    }
                    return
                }
                emptyPipes = offset > start ? 0 : emptyPipes + 1
            }
        } catch let error as ClientError where error.canReadInParts {}
        try await downloadInParts(actor, job: job, from: offset, to: end, body)
    }

    /// Reads a workbook like ``download(_:job:from:to:_:)``, but through the socket alone.
    public func downloadInParts(
        _ actor: ActorName, job: String, from start: Int = 0, to end: Int? = nil, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = start
        while offset < end ?? .max {
            let length = min(ExportRead.maxLength, (end ?? .max) - offset)
            let part = try await call(ExportRead.self, .init(actor: actor, job: job, offset: offset, length: length))
            guard let data = Data(base64Encoded: part.data), part.offset == offset, part.eof || !data.isEmpty,
                data.count <= length
            else {
                throw ClientError(.protocolViolation, "the service sent another part of the workbook than requested")
            }
            try await body(data)
            offset += data.count
            if part.eof { return }
        }
    }

    // MARK: Replies

    private func receive(_ line: Data) {
        struct Envelope: Decodable {
            let id: Int?
            let method: String?
        }
        let unknownLine = ClientError(.protocolViolation, "the service sent a line that is not a message of the protocol")
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: line) else { return end(unknownLine) }
        if let id = envelope.id {
            answer(id, Swift.Result { try Self.result(of: line) })
        } else if envelope.method != nil {
            notify(line)
        } else if case .failure(let error) = Swift.Result(catching: { try Self.result(of: line) }) {
            // An error without an id is about the connection: too many connections, or a line that the service could not parse.
            end(error as? ClientError ?? unknownLine)
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
        if !isSane { end(ClientError(.protocolViolation, "the service sent descriptors that no call asked for")) }
    }

    private func notify(_ line: Data) {
        struct Notification: Decodable { let params: ExportChanged }
        // Ignores unknown notifications. A newer service may send them.
        guard let change = (try? JSONDecoder().decode(Notification.self, from: line))?.params else { return }
        let stream = state.withLock { state in
            change.job.state.isFinal
                ? state.subscriptions.removeValue(forKey: change.subscription) : state.subscriptions[change.subscription]
        }
        stream?.yield(change.job)
        if change.job.state.isFinal { stream?.finish() }
    }

    // MARK: Failures

    private func fail(_ id: Int, _ error: any Error) {
        let waiting = state.withLock { state in
            let waiting = state.waiting.removeValue(forKey: id)
            if let late = waiting?.late { state.late[id] = late }
            return waiting
        }
        waiting?.continuation.resume(throwing: error)
    }

    private func end(_ error: ClientError) {
        // The service must not continue to serve a client that no longer reads.
        defer { socket.shutdown() }
        let (waiting, subscriptions) = state.withLock { state in
            state.ended = state.ended ?? error
            defer { (state.waiting, state.late, state.subscriptions) = ([:], [:], [:]) }
            return (state.waiting, state.subscriptions)
        }
        for waiting in waiting.values { waiting.continuation.resume(throwing: error) }
        for stream in subscriptions.values { stream.finish(throwing: error) }
    }

    /// The bytes of the `result` member.
    ///
    /// - Throws: ``ClientError`` for an `error` member, or for a line that has neither.
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
            throw ClientError(.protocolViolation, "the service sent a reply with neither a result nor an error")
        }
        throw ClientError(
            .service(code: error.code, kind: error.data?.kind ?? "unknown"), error.message,
            isRetryable: error.data?.retryable ?? false, reason: error.data?.reason)
    }
}

/// A client that can call methods, over one connection or over several.
protocol MethodCaller: Sendable {
    func call<Called: Method>(
        _ method: Called.Type, _ params: Called.Params, timeout: Duration
    ) async throws -> Called.Result
}

extension Client: MethodCaller {}

/// How long ``MethodCaller/waitUntilFinal(_:_:_:)`` tolerates a service that answers but has no database. Exports wait for the
/// database too.
private let maxTimeWithoutDatabase: Duration = .seconds(120)

extension MethodCaller {
    /// Waits until a job is final. Repeats its requests each second while the service has no database.
    func waitUntilFinal(_ actor: ActorName?, _ id: String, _ change: (Job) -> Void) async throws -> Job {
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
                        try await call(ExportGet.self, .init(actor: actor, job: id), timeout: .seconds(30)).job
                    }
                change(job)
                if job.state.isFinal { return job }
                known = job
                lastAnswer = .now
            } catch let error as ClientError
                where error.kind == ErrorKind.unavailable.rawValue && .now - lastAnswer < maxTimeWithoutDatabase
            {
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}

extension ClientError {
    /// Whether the workbook can be read through the socket, although its descriptor could not be passed.
    fileprivate var canReadInParts: Bool {
        code == .descriptorLost || kind == ErrorKind.methodNotFound.rawValue || kind == ErrorKind.overloaded.rawValue
    }
}
