internal import AdminExportAPI
private import Exports
internal import JSONRPC
internal import Logging
internal import NIOCore
private import NIOPosix
internal import ServiceLifecycle
internal import Sockets
private import Synchronization

/// Serves callers: accepts connections within the limits, determines what each peer may do, and serves it.
///
/// At a graceful shutdown it accepts no more connections, answers what is in flight, and closes.
final class SocketServer: Service {
    private let group: any EventLoopGroup
    private let dispatcher: ServiceDispatcher
    private let settings: LiveSettings
    private let metrics: ServerMetrics
    private let logger: Logger
    private let refusals: ThrottledLog
    private let acceptErrors: ThrottledLog
    /// Counts the bytes that all callers hold.
    private let account: ByteAccount
    /// nil after the last connection was accepted.
    private let socket: Mutex<ListeningSocket?>
    /// Admitted connections that nobody serves yet. The limits on connections bound their number.
    private let accepted = AsyncStream.makeStream(of: Accepted.self)
    private let state: Mutex<State>

    private struct State {
        var policy: CallerPolicy
        var connections = 0
        var users: [UInt32: User] = [:]
        var served: [Int: Served] = [:]
        var nextID = 0
        var isStopping = false
        /// The listening socket was closed before a stop.
        var hasFailed = false
    }

    /// A user with connections.
    private struct User {
        let account: ByteAccount
        var connections = 0
    }

    /// An admitted connection.
    private struct Accepted: Sendable {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        let peer: PeerCredentials
    }

    private struct Served {
        let peer: PeerCredentials
        let grants: CallerGrants
        let connection: Connection
    }

    init(
        socket: consuming ListeningSocket, group: any EventLoopGroup, dispatcher: ServiceDispatcher, policy: CallerPolicy,
        settings: LiveSettings, metrics: ServerMetrics, logger: Logger
    ) {
        self.group = group
        self.dispatcher = dispatcher
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        refusals = ThrottledLog(DaemonEvent.connectionRefused, logger)
        acceptErrors = ThrottledLog(DaemonEvent.acceptFailed, logger)
        account = ByteAccount(.service) { settings.limits.bytes }
        self.socket = Mutex(consume socket)
        state = Mutex(State(policy: policy))
    }

    func run() async throws {
        let listener = try await listen()
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                for await accepted in accepted.stream {
                    tasks.addTask { await self.serve(accepted) }
                }
            }
        } onCancelOrGracefulShutdown: {
            self.stopAll(listener)
        }
        if state.withLock({ $0.hasFailed }) { throw ListenerFailed() }
    }

    /// How many connections have ended.
    var endedConnections: Int { state.withLock { $0.nextID - $0.served.count } }

    /// Returns the largest number of bytes that callers held since the last call.
    func takeMostHeldBytes() -> Int { account.takePeak() }

    /// Applies new rules. A connection whose grants change ends when its requests in flight have been answered. Other
    /// connections continue.
    func apply(_ policy: CallerPolicy) {
        let changed = state.withLock { state in
            state.policy = policy
            return state.served.values.filter { policy.grants(of: $0.peer) != $0.grants }
        }
        let reason = RPCError(
            .shuttingDown, "The configuration of callers has changed. Connect again.", retryable: true)
        for served in changed { served.connection.stop(reason) }
        if !changed.isEmpty { logger.report(DaemonEvent.connectionsRevoked, [.connections: changed.count]) }
    }

    private func stopAll(_ listener: any Channel) {
        let served = state.withLock { state in
            state.isStopping = true
            return Array(state.served.values)
        }
        listener.close(promise: nil)
        for served in served { served.connection.stop(.shuttingDown) }
    }

    // MARK: Accepting

    private func listen() async throws -> any Channel {
        guard let raw = socket.withLock({ $0?.release() }) else { preconditionFailure("a server runs once") }
        let listener = try await SocketTransport.configure(ServerBootstrap(group: group))
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try SocketTransport.withDescriptor(of: channel) { ListeningSocket.restoreBacklog(of: $0) }
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptErrorHandler(refused: { self.reportRefusal("no descriptor is left", nil) }) {
                            self.acceptErrors.report([.error: $0])
                        })
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.take(channel) }
            }
            .withBoundSocket(raw).get()
        listener.closeFuture.whenComplete { [self] _ in
            // Removes the path, so that the next caller does not wait for a service that ends.
            socket.withLock { $0 = nil }
            let served = state.withLock { state in
                guard !state.isStopping else { return [Served]() }
                (state.isStopping, state.hasFailed) = (true, true)
                return Array(state.served.values)
            }
            for served in served { served.connection.stop(.shuttingDown) }
            accepted.continuation.finish()
        }
        return listener
    }

    /// Admits a connection, or sends its peer the reason and closes it.
    private func take(_ channel: any Channel) throws {
        let peer = try SocketTransport.withDescriptor(of: channel) { raw in
            ConnectedSocket(borrowing: raw).setCloseOnExec()
            return try PeerCredentials(of: raw)
        }
        if let line = admit(peer) {
            reportRefusal("over the limit", peer)
            try SocketTransport.withDescriptor(of: channel) { ConnectedSocket(borrowing: $0).sendLast(line) }
            return channel.close(promise: nil)
        }
        let wrapped: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            wrapped = try SocketTransport.wrap(channel)
        } catch {
            release(peer)
            throw error
        }
        if case .terminated = accepted.continuation.yield(Accepted(channel: wrapped, peer: peer)) {
            release(peer)
            channel.close(promise: nil)
        }
    }

    private func reportRefusal(_ reason: String, _ peer: PeerCredentials?) {
        metrics.refusedConnection()
        var fields: [LogKey: any Sendable] = [.reason: reason]
        fields[.uid] = peer?.uid
        refusals.report(fields)
    }

    /// Counts the peer.
    ///
    /// - Returns: what to send to a peer that exceeds a limit.
    private func admit(_ peer: PeerCredentials) -> [UInt8]? {
        let limits = settings.limits
        let fault: String? = state.withLock { state in
            let ofUser = state.users[peer.uid]?.connections ?? 0
            if state.connections >= limits.connections {
                return "The service has \(limits.connections) connections, which is the limit. Try again in a moment."
            }
            if ofUser >= limits.connectionsPerUser {
                return "This user has \(limits.connectionsPerUser) connections, which is the limit. Close one of them."
            }
            state.connections += 1
            state.users[peer.uid, default: newUser()].connections += 1
            return nil
        }
        return fault.map { OneLineReply.error(RPCError(.overloaded, $0, retryable: true)) }
    }

    private func newUser() -> User {
        User(account: ByteAccount(.user, within: account) { [settings] in settings.limits.bytesPerUser })
    }

    private func release(_ peer: PeerCredentials) {
        state.withLock { state in
            state.connections -= 1
            state.users[peer.uid]?.connections -= 1
            if state.users[peer.uid]?.connections == 0 { state.users[peer.uid] = nil }
        }
    }

    // MARK: Serving

    /// Never throws: a fault of one peer ends its own connection only.
    private func serve(_ accepted: Accepted) async {
        let peer = accepted.peer
        metrics.connected()
        do {
            try await accepted.channel.executeThenClose { inbound, _ in
                let (number, connection) = register(
                    peer, SocketTransport(inbound: inbound, channel: accepted.channel.channel))
                // When the peer is gone, nobody receives the replies.
                accepted.channel.channel.closeFuture.whenComplete { _ in connection.cancelAll() }
                if let stall = await connection.run() {
                    metrics.stalledConnection()
                    logger.report(DaemonEvent.connectionStalled, [.uid: peer.uid, .side: stall.rawValue])
                }
                state.withLock { $0.served[number] = nil }
            }
        } catch {
            logger.report(DaemonEvent.connectionEnded, [.uid: peer.uid, .error: error])
        }
        metrics.disconnected()
        release(peer)
    }

    private func register(_ peer: PeerCredentials, _ transport: SocketTransport) -> (number: Int, Connection) {
        let limits = settings.limits
        let (number, served, isStopping) = state.withLock { state in
            state.nextID += 1
            let grants = state.policy.grants(of: peer)
            let user = state.users[peer.uid, default: newUser()].account
            let connection = Connection(
                transport: transport, dispatcher: dispatcher,
                session: CallerSession(number: state.nextID, peer: peer, grants: grants, limits: limits),
                limits: limits.connection,
                account: ByteAccount(.connection, within: user) { limits.bytesPerConnection })
            let served = Served(peer: peer, grants: grants, connection: connection)
            state.served[state.nextID] = served
            return (state.nextID, served, state.isStopping)
        }
        if isStopping { served.connection.stop(.shuttingDown) }
        return (number, served.connection)
    }
}

/// The listening socket cannot accept connections any more.
struct ListenerFailed: Error, CustomStringConvertible {
    var description: String { "the listening socket failed; see the journal for the reason" }
}

extension RPCError {
    static let noDescriptorLeft = RPCError(
        .overloaded, "The service has too many open files to accept a connection. Try again in a moment.", retryable: true)
}
